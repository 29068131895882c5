"""What a run would take, without running it: rows, columns, memory, time measured on a sliver of the rows."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.samples import Samples
from ohlcv_factory.features.selection import sample_to_feature_note
from ohlcv_factory.models.base import BaseModel, SilentSink
from ohlcv_factory.splits.inner import InnerRows
from ohlcv_factory.training.fitting import inner_parts, input_columns
from ohlcv_factory.training.machine import chosen_for_machine, warm_up_notes
from ohlcv_factory.training.memory_estimate import estimate_memory_requirements, refuse_too_large
from ohlcv_factory.training.pipeline import model_inputs
from ohlcv_factory.training.settings import TrainerConfig

PROBE_ROWS = (500, 1000)
PROBE_ROUNDS = 20
PROBE_BATCHES, PROBE_EPOCHS = 3, 3
ANSWER_WINDOWS, ANSWERS = 64, 7


def run_plan(config: TrainerConfig, container: TimeSeriesDataContainer) -> dict[str, Any]:
    """Rows of every inner part, features, memory and estimated seconds; nothing is written.

    The time comes from two short fits and grows with the rows as those two did; it is an upper bound for models that
    stop early.
    """
    model = config.create_model()
    model.check_ready()
    columns = input_columns(config, model, container)
    rows = container.rows("train", scored=True)
    inner = inner_parts(container, rows)
    advice = sample_to_feature_note(len(inner.fit), len(columns))
    refuse_too_large(model, len(container), len(columns))
    memory = estimate_memory_requirements(model.family, len(inner.fit), len(columns), model)
    return {
        "model": config.model_name,
        "horizon": config.horizon,
        "features": len(columns),
        "rows_train": len(rows),
        "rows_fit": len(inner.fit),
        "rows_stop": len(inner.stop),
        "rows_calibrate": len(inner.calibrate),
        "rows_val": len(container.rows("val")),
        "memory_gb": round(memory["cpu_memory_gb"], 2),
        **({"gpu_memory_gb": round(memory["gpu_memory_gb"], 2)} if memory["gpu_memory_gb"] else {}),
        **_time(config, container, rows[inner.fit], columns, _read_rows(model, container, inner)),
        **chosen_for_machine(model),
        **({"parameters": int(memory["parameters"])} if "parameters" in memory else {}),
        "notes": [*warm_up_notes(model), *inner.notes, *([advice] if advice else [])],
    }


def answer_seconds(config: TrainerConfig, container: TimeSeriesDataContainer) -> float:
    """Seconds that one row takes to be answered on this machine: the median of seven, after one to warm up.

    By a model of full size that was fitted on a sliver of the rows, in one step where it trains in steps. That of the model
    alone, without the columns of a new bar. Models that grow with their rows (forests, support vectors) take longer in earnest.
    """
    model = config.create_model()
    model.check_ready()
    columns, rows = input_columns(config, model, container), container.rows("train", scored=True)
    count = ANSWER_WINDOWS if model.requires_sequences else PROBE_ROWS[0]
    if model.requires_sequences and model.trains and hasattr(model.config, "windows_per_epoch"):
        short = {"fixed_epochs": 1, "windows_per_epoch": ANSWER_WINDOWS, "time_budget_minutes": None}
        model = config.create_model(**short)
        model.check_ready()
    samples = _samples(model, container, _spread(rows, count), columns)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(samples)
    one = samples.take(slice(0, 1))
    return float(np.median([_seconds_of(model, one) for _ in range(1 + ANSWERS)][1:]))


def _seconds_of(model: BaseModel, rows: Samples) -> float:
    started = time.perf_counter()
    model.predict(rows)
    return time.perf_counter() - started


def _spread(rows: np.ndarray, count: int) -> np.ndarray:
    """`count` of some rows, evenly spaced."""
    chosen: np.ndarray = rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)]
    return chosen


def _read_rows(model: BaseModel, container: TimeSeriesDataContainer, inner: InnerRows) -> int:
    """Rows that a pre-trained network reads without learning from them: those to predict, in frozen also those to fit."""
    predicted = len(inner.stop) + len(inner.calibrate) + len(container.rows("val"))
    return predicted + (len(inner.fit) if getattr(model.config, "mode", "") == "frozen" else 0)


def _time(
    config: TrainerConfig,
    container: TimeSeriesDataContainer,
    rows: np.ndarray,
    columns: tuple[str, ...],
    read_rows: int,
) -> dict[str, Any]:
    model = config.create_model()
    model.check_ready()
    if not model.requires_sequences or model.rounds_field is None or not hasattr(model.config, "windows_per_epoch"):
        return {"seconds_at_most": round(_estimated_seconds(config, container, rows, columns), 1)}
    probe, samples, epoch = _short_fit(config, container, rows, columns)
    per_row = _row_seconds(probe, samples) if model.pretraining else 0.0
    reading = {"ms_per_row": round(1000 * per_row, 3)} if model.pretraining else {}
    if not model.trains:
        return {**reading, "seconds_at_most": round(read_rows * per_row, 1)}
    windows = min(len(rows), model.config.windows_per_epoch or len(rows))
    seconds = windows * epoch / len(samples)
    return {
        "batches_per_epoch": -(-windows // model.config.batch_size),
        "seconds_per_epoch": round(seconds, 2),
        **reading,
        "seconds_at_most": round(seconds * model.config.max_epochs + read_rows * per_row, 1),
    }


def _short_fit(
    config: TrainerConfig, container: TimeSeriesDataContainer, rows: np.ndarray, columns: tuple[str, ...]
) -> tuple[BaseModel, Samples, float]:
    """A fit in real steps on a few batches, their rows, and seconds per epoch: the fastest but the first, which warms up."""
    full = config.create_model()
    full.check_ready()
    size = full.config.batch_size or full.block_rows
    chosen = rows[: min(len(rows), PROBE_BATCHES * size)]
    short = {"fixed_epochs": PROBE_EPOCHS, "windows_per_epoch": len(chosen), "time_budget_minutes": None}
    model = config.create_model(**(short if full.trains else {}))
    clock, samples = _EpochClock(), _samples(model, container, chosen, columns)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(samples, sink=clock)
    fastest = min(np.diff(clock.times), default=clock.times[0] - clock.started) if clock.times else 0.0
    return model, samples, float(fastest)


def _row_seconds(model: BaseModel, samples: Samples) -> float:
    """Seconds that a row of a prediction takes, in the faster of two blocks."""
    block = samples.take(slice(0, model.block_rows))
    for _ in range(2):
        model.predict(block)
    return model.row_seconds or 0.0


class _EpochClock(SilentSink):
    """When each epoch ended."""

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self.times: list[float] = []

    def on_epoch(self, epoch: int, total: int, metrics: Mapping[str, float]) -> None:
        """Note the time."""
        self.times.append(time.perf_counter())


def _estimated_seconds(
    config: TrainerConfig, container: TimeSeriesDataContainer, rows: np.ndarray, columns: tuple[str, ...]
) -> float:
    """Extrapolated from two probes: seconds grow like rows ** exponent, with 0.5 <= exponent <= 2."""
    small, large = (_probe_seconds(config, container, rows, columns, count) for count in PROBE_ROWS)
    exponent = float(np.clip(np.log2(large / small), 0.5, 2.0))
    return float(large * max(1.0, len(rows) / PROBE_ROWS[1]) ** exponent)


def _probe_seconds(
    config: TrainerConfig, container: TimeSeriesDataContainer, rows: np.ndarray, columns: tuple[str, ...], count: int
) -> float:
    """Seconds of one fit on `count` evenly spaced rows, scaled from a few rounds to all of them."""
    chosen = _spread(rows, count)
    full = config.create_model()
    rounds = _most_rounds(full)
    model = config.create_model(**({full.rounds_field: PROBE_ROUNDS} if full.rounds_field else {}))
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(_samples(model, container, chosen, columns))
    return (time.perf_counter() - started) * (rounds / PROBE_ROUNDS if rounds else 1.0)


def _samples(
    model: BaseModel, container: TimeSeriesDataContainer, rows: np.ndarray, columns: tuple[str, ...]
) -> Samples:
    inputs = model_inputs(model, container, rows, columns)
    return container.samples(rows, columns=columns, inputs=inputs, with_market=model.input_spec.needs_market)


def _most_rounds(model: BaseModel) -> int | None:
    field = model.Config.trainer_aliases.get("max_epochs")
    return int(getattr(model.config, field)) if field else None
