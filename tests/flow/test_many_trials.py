"""Two hundred configurations on a random walk: the best of them looks like an edge to whoever forgets the others."""

from __future__ import annotations

import numpy as np
import pytest

from ohlcv_factory import leaderboard
from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.evaluation.scorecard import judged
from ohlcv_factory.evaluation.trials import Trials
from ohlcv_factory.storage.ledger import Ledger
from ohlcv_factory.training.settings import TrainerConfig
from ohlcv_factory.training.trainer import Trainer

TRIALS = 200
COLUMNS = (
    "return_1", "return_5", "return_10", "return_20", "rsi_14", "atr_pct_14", "volume_ratio", "hour_sin", "hour_cos",
    "range_pct",
)  # fmt: skip
SETTINGS = DatasetConfig.parse({"horizons": [5], "features": list(COLUMNS), "embargo_days": "auto", "timeframes": []})


def drawn(generator, folder):
    """A logistic regression on some of the columns, with a penalty and weights of its own."""
    columns = tuple(generator.choice(COLUMNS, size=generator.integers(1, 6), replace=False).tolist())
    return TrainerConfig(
        model_name="logistic",
        horizon=5,
        feature_set="drawn",
        feature_sets={"drawn": {"include": columns}},
        model={"C": float(10 ** generator.uniform(-4, 1))},
        weighting=str(generator.choice(["both", "none", "uniqueness"])),
        balanced=bool(generator.random() < 0.5),
        output_dir=folder / "runs",
    )


@pytest.fixture(scope="module")
def walk():
    """Hourly bars that move so much that costs hide nothing."""
    bars = random_walk(8000, 1, bar_seconds=3600, volatility=0.02)
    return TimeSeriesDataContainer.from_bars(bars, horizon=5, config=SETTINGS)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ohlcv_factory.models.base.MissingClassWarning")
def test_the_best_of_200_trials_on_a_random_walk_is_no_edge(walk, tmp_path):
    generator = np.random.default_rng(1)
    for _ in range(TRIALS):
        Trainer(drawn(generator, tmp_path)).run(walk)
    assert Ledger.in_folder(tmp_path).trials(walk.fingerprint) == TRIALS
    best, *others = leaderboard(tmp_path / "runs").runs
    assert best.evaluation["trading"]["sharpe_interval"][0] > 0  # what an honest colleague must not report alone
    assert judged(best.evaluation, Trials())["trials"]["deflated_sharpe_ratio"] > 0.95
    assert best.evaluation["trials"]["count"] == TRIALS
    assert best.evaluation["verdict"]["code"] == "no edge found"
    assert best.evaluation["trials"]["deflated_sharpe_ratio"] < 0.95
    assert "best of 200 trials without skill" in best.evaluation["verdict"]["words"]
    assert "edge" not in {run.evaluation["verdict"]["code"] for run in others}
