"""What a run would take, without running it: rows, columns, memory, time measured on a sliver of the rows."""

from __future__ import annotations

import time
import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.samples import Samples
from ohlcv_factory.dataset.scaling import Scaler
from ohlcv_factory.features.selection import sample_to_feature_note
from ohlcv_factory.models.base import BaseModel
from ohlcv_factory.training.fitting import inner_parts, input_columns
from ohlcv_factory.training.memory_estimate import estimate_memory_requirements
from ohlcv_factory.training.settings import TrainerConfig

PROBE_ROWS = (500, 1000)
PROBE_ROUNDS = 20
PROBE_BATCHES = 3


def run_plan(config: TrainerConfig, container: TimeSeriesDataContainer) -> dict[str, Any]:
    """Rows of every inner part, features, memory and estimated seconds; nothing is written.

    The time comes from two short fits and grows with the rows as those two did; it is an upper bound for models that
    stop early.
    """
    model = config.create_model()
    columns = input_columns(config, model, container)
    rows = container.rows("train", scored=True)
    inner = inner_parts(container, rows)
    advice = sample_to_feature_note(len(inner.fit), len(columns))
    memory = estimate_memory_requirements(model, len(container), len(columns))
    time_facts = (
        _network_facts(config, container, rows[inner.fit], columns)
        if model.requires_sequences
        else {"seconds_at_most": round(_estimated_seconds(config, container, rows[inner.fit], columns), 1)}
    )
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
        **time_facts,
        "notes": [*model.choices(), *inner.notes, *([advice] if advice else [])],
    }


def _network_facts(
    config: TrainerConfig, container: TimeSeriesDataContainer, rows: np.ndarray, columns: tuple[str, ...]
) -> dict[str, Any]:
    """Size of a network, its steps, and the seconds of an epoch, from a few real steps; scoring is not counted."""
    network: Any = config.create_model()
    settings = network.config
    windows = min(len(rows), settings.windows_per_epoch or len(rows))
    batches = -(-windows // settings.batch_size)
    probed = rows[: settings.batch_size * PROBE_BATCHES]
    samples = container.samples(probed, columns=columns, lookback=network.lookback)
    scaled = replace(samples, X=Scaler.fit("standard", container.matrix(probed, columns)).apply(samples.X))
    first, second = (_epochs_seconds(config, scaled, epochs) for epochs in (1, 2))
    seconds = max(second - first, 0.0) * batches / -(-len(probed) // settings.batch_size)
    return {
        "parameters": network.parameters(len(columns)),
        "lookback": network.lookback,
        "batch_size": settings.batch_size,
        "batches_per_epoch": batches,
        "seconds_per_epoch": round(seconds, 2),
        "seconds_at_most": round(seconds * settings.max_epochs, 1),
    }


def _epochs_seconds(config: TrainerConfig, samples: Samples, epochs: int) -> float:
    """Seconds of a fit of so many epochs on some samples."""
    model = config.create_model(fixed_epochs=epochs, max_epochs=epochs, windows_per_epoch=None)
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(samples)
    return time.perf_counter() - started


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
    chosen = rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)]
    full = config.create_model()
    rounds = _most_rounds(full)
    model = config.create_model(**({full.rounds_field: PROBE_ROUNDS} if full.rounds_field else {}))
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(container.samples(chosen, columns=columns))
    return (time.perf_counter() - started) * (rounds / PROBE_ROUNDS if rounds else 1.0)


def _most_rounds(model: BaseModel) -> int | None:
    field = model.Config.trainer_aliases.get("max_epochs")
    return int(getattr(model.config, field)) if field else None
