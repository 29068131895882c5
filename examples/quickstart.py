"""From a bar file to a scored model, its predictions of new bars, and the two models beside each other.

python examples/quickstart.py            synthetic bars: a random walk with a planted signal
python examples/quickstart.py BARS.csv   your own
"""

from __future__ import annotations

import sys
from pathlib import Path

from ohlcv_factory import ModelBundle, RunResult, TimeSeriesDataContainer, Trainer, TrainerConfig, read_bars
from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.settings import BarrierOverride, DatasetConfig

HORIZON = 20
CONFIG = DatasetConfig(horizons=(HORIZON,), barriers={HORIZON: BarrierOverride(k_up=4.0, k_down=4.0)})
"""Barriers four ATR away instead of the instrument's 2.5, so that "neither was reached" is common enough to learn."""


def bar_file() -> Path:
    """The file that was named, or one of hourly synthetic bars whose volume hints at the next move."""
    if len(sys.argv) > 1 and Path(sys.argv[1]).is_file():
        return Path(sys.argv[1])
    path = Path("SYNTH.csv")
    random_walk(6000, seed=7, bar_seconds=3600, beta=0.8).frame().write_csv(path)
    return path


def train(model: str, container: TimeSeriesDataContainer) -> RunResult:
    """One run: fitted on the train part, scored on the val part, saved under experiments/runs/."""
    result = Trainer(TrainerConfig(model_name=model, horizon=HORIZON)).run(container)
    classes, trading = result.evaluation["classification"], result.evaluation["trading"]
    print(f"{model}: log-loss {classes['log_loss']:.3f}, net Sharpe {trading['sharpe_ratio']:.2f}")
    print(f"  {result.evaluation['verdict']['words']}")
    return result


def main() -> None:
    """Read, build, train two models, predict the newest bar with the second."""
    file = read_bars(bar_file())
    print("\n".join(f"assumed {text}" for text in file.account.assumed))
    container = TimeSeriesDataContainer.from_bars(file.bars, horizon=HORIZON, config=CONFIG)
    for part, facts in container.describe()["parts"].items():
        print(f"{part}: {facts['scored']} scored rows, classes {facts['classes']}")
    train("logistic", container)
    result = train("lightgbm", container)
    newest = ModelBundle.from_run(result.path).predict(file.bars).frame.tail(1)
    print(newest.select("symbol", "time", "p_short", "p_neutral", "p_long", "decision"))


if __name__ == "__main__":
    main()
