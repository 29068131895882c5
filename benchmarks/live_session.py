"""Row 14: one new bar in a live session: features, scaler, model, calibrator, decision, for LightGBM and an LSTM.

The runs are trained on a synthetic market of five-minute bars: 500 rounds of LightGBM on its own set of columns, and the
LSTM with the sizes of the machine's preset. A session is warmed on most of another market, updates that are not timed come
first, then every update is timed alone. `equal` says that the last predictions have the bytes of the batch.
"""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median
from typing import Any

from common import Bench, Line, Timing, Work, required, serve

BARS, HORIZON, BAR_SECONDS = 16_000, 20, 300
UPDATES, UNTIMED = 2_000, 100
COMPARED = 256
MODELS: dict[str, dict[str, Any]] = {
    "lightgbm": {"n_estimators": 500, "early_stopping_rounds": 500},
    "lstm": {"max_epochs": 1, "windows_per_epoch": 2048},
}
REACH = {"lightgbm": "p50 <= 5 ms, p99 <= 3 x p50", "lstm": "p50 <= 15 ms, p99 <= 3 x p50"}


def lines(bench: Bench) -> list[Line]:
    """The lines of this row: the times are those of the median update, p99 and the rest stand beside them."""
    bench.prepare(__file__)
    found = bench.take_turns(__file__, list(MODELS))
    return [_line(model, required(found[model], model)) for model in MODELS]


def _line(model: str, session: Timing) -> Line:
    facts = session.facts
    p50, p99 = facts["p50_ms"], facts["p99_ms"]
    update = Timing(p50 / 1000, facts["p50_cpu_ms"] / 1000, session.peak_mb, facts["updates"], facts)
    work = f"one new bar live: {model}, p99 {p99:.2f} ms = {p99 / p50:.2f} x p50"
    return Line(14, work, update, REACH[model])


def session_of(name: str) -> Any:
    """A case: the updates of one session; every run of it is a new session."""

    def case(folder: Path) -> Work:
        from ohlcv_factory.runtime.threads import set_threads

        set_threads()

        from ohlcv_factory.training.bundle import ModelBundle

        bundle, bars = ModelBundle.from_run(folder / name), _market(4)
        first = len(bars) - UPDATES

        def work() -> Any:
            session, walls, cpus, last = bundle.live(bars.head(first - UNTIMED)), [], [], []
            for row in range(first - UNTIMED, len(bars)):
                bar = bars.slice(row, row + 1)
                wall, cpu = time.perf_counter(), time.process_time()
                answer = session.update(bar)
                walls.append(time.perf_counter() - wall)
                cpus.append(time.process_time() - cpu)
                last.append(answer.raw)
            return lambda: _facts(walls[UNTIMED:], cpus[UNTIMED:]) | {"equal": _as_batch(bundle, bars, last)}

        return work

    return case


def _facts(walls: list[float], cpus: list[float]) -> dict[str, Any]:
    """What the updates of a session cost, in milliseconds."""
    return {
        "updates": len(walls),
        "p50_ms": 1000 * median(walls),
        "p99_ms": 1000 * _quantile(walls, 0.99),
        "largest_ms": 1000 * max(walls),
        "p50_cpu_ms": 1000 * median(cpus),
        "p99_cpu_ms": 1000 * _quantile(cpus, 0.99),
    }


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def _as_batch(bundle: Any, bars: Any, last: list[Any]) -> bool:
    """Whether the newest predictions have the bytes that the batch gives."""
    batch = bundle.predict(bars).raw[-COMPARED:]
    return bool(b"".join(raw.tobytes() for raw in last[-COMPARED:]) == batch.tobytes())


def prepare(folder: Path) -> None:
    """Train the two runs."""
    from ohlcv_factory.runtime.threads import set_threads

    set_threads()

    from ohlcv_factory.dataset.container import TimeSeriesDataContainer
    from ohlcv_factory.training.settings import TrainerConfig
    from ohlcv_factory.training.trainer import Trainer

    container = TimeSeriesDataContainer.from_bars(_market(3), horizon=HORIZON)
    for name, model in MODELS.items():
        config = TrainerConfig(model_name=name, horizon=HORIZON, output_dir=folder / "runs", model=model)
        Trainer(config).run(container).path.rename(folder / name)


def _market(seed: int) -> Any:
    from ohlcv_factory.bars.synthetic import random_walk

    return random_walk(BARS, seed=seed, bar_seconds=BAR_SECONDS, beta=0.2)


if __name__ == "__main__":
    serve({name: session_of(name) for name in MODELS}, prepare, runs=1)
