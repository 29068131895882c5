"""One fit: columns, inner rows, weights, scaler, model, calibrator. Nothing here touches a disk or a later part."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.samples import Samples
from ohlcv_factory.dataset.scaling import Scaler
from ohlcv_factory.dataset.windows import WindowSource
from ohlcv_factory.errors import DataError
from ohlcv_factory.evaluation.calibration import IDENTITY, Calibrator, fit_calibrator
from ohlcv_factory.features.plugins import PluginRecord, require
from ohlcv_factory.features.selection import Selection, fit_selection, sample_to_feature_note
from ohlcv_factory.features.sets import resolve
from ohlcv_factory.labels.classes import CLASS_COUNT, CLASS_NAMES
from ohlcv_factory.models.base import BaseModel, EpochSink, TrainingMetrics
from ohlcv_factory.splits.inner import InnerRows, inner_rows
from ohlcv_factory.training.drift import TrainingRange
from ohlcv_factory.training.machine import machine_notes
from ohlcv_factory.training.pipeline import FittedPipeline
from ohlcv_factory.training.settings import TrainerConfig


@dataclass(frozen=True)
class Fit:
    """A fitted pipeline and how it came about."""

    pipeline: FittedPipeline
    metrics: TrainingMetrics
    row_counts: dict[str, int]
    """Scored rows of train, fit, stop and calibrate."""
    notes: tuple[str, ...]
    selection: Selection
    """The columns that were kept of the feature set's; learnt from the fit rows."""
    training_range: TrainingRange
    """Where the features of the fit rows lie."""


def fit_pipeline(
    config: TrainerConfig,
    container: TimeSeriesDataContainer,
    sink: EpochSink | None = None,
    resume: Path | None = None,
) -> Fit:
    """Fit on the container's train part and on nothing else; `resume` is a checkpoint of the same fit that was cut off.

    Raises UsageError (2) for a config that the model or the dataset cannot obey, DataError (65) for training rows that
    lack a class.
    """
    model = config.create_model()
    offered = input_columns(config, model, container)
    rows = container.rows("train", scored=True)
    refuse_missing_class(container, rows, config)
    inner = inner_parts(container, rows)
    _refuse_unseen_symbol(model, container, rows[inner.fit])
    selection = _select(config, container, rows[inner.fit], offered)
    columns = selection.kept
    fit_values = container.matrix(rows[inner.fit], columns)
    scaler = Scaler.fit(model.input_spec.scaling, fit_values)
    inputs = scaler.apply(container.inputs(rows, columns, _lookback(model)))
    fit_rows, stop_rows = (
        _samples(container, rows[part], _taken(inputs, part), columns, config, model)
        for part in (inner.fit, inner.stop)
    )
    metrics = model.fit(fit_rows, stop_rows, sink=sink, resume=resume)
    calibrator, notes = _calibrator(
        config, container, rows[inner.calibrate], FittedPipeline(model, columns, scaler, IDENTITY)
    )
    pipeline = FittedPipeline(model, columns, scaler, calibrator)
    if config.refit == "all":
        pipeline = _refit(config, container, rows, pipeline, metrics)
    notes = (*machine_notes(model), *inner.notes, *notes, *_column_notes(selection, len(inner.fit)))
    seen = TrainingRange.fit(fit_values, columns)
    return Fit(pipeline, metrics, _row_counts(rows, inner), notes, selection, seen)


def _select(
    config: TrainerConfig, container: TimeSeriesDataContainer, fit_rows: np.ndarray, columns: tuple[str, ...]
) -> Selection:
    """Learnt from the fit rows of this fit, so that every fold learns its own."""
    if config.feature_selection == "none":
        return Selection("none", columns)
    X, y = container.matrix(fit_rows, columns), container.labels.label[fit_rows]
    return fit_selection(config.feature_selection, X, y, columns, seed=config.random_seed)


def _column_notes(selection: Selection, rows: int) -> list[str]:
    kept, dropped = len(selection.kept), len(selection.dropped)
    notes = [f"{selection.method} selection kept {kept} of {kept + dropped} columns"] if dropped else []
    advice = sample_to_feature_note(rows, kept)
    return [*notes, advice] if advice else notes


def refuse_missing_class(container: TimeSeriesDataContainer, rows: np.ndarray, config: TrainerConfig) -> None:
    """Raise DataError (65) where scored training rows lack a class and the config does not allow it."""
    counts = dict(
        zip(CLASS_NAMES, np.bincount(container.labels.label[rows], minlength=CLASS_COUNT).tolist(), strict=True)
    )
    if min(counts.values()) == 0 and not config.allow_missing_class:
        raise DataError(
            f"a class is missing in the training rows of horizon {container.horizon}: {counts}.",
            where=container.origin or "",
            help="choose other barriers, more bars, or set allow_missing_class: true",
        )


def input_columns(config: TrainerConfig, model: BaseModel, container: TimeSeriesDataContainer) -> tuple[str, ...]:
    """The columns of the config's feature set, or of the model's own, that the container carries.

    Raises UsageError (2) or VerificationError (76) where a plugin that made columns of the container is not loaded, or is
    another one; UsageError (2) for a set that cannot be resolved.
    """
    require(PluginRecord.from_plain(record) for record in container.data_spec["plugins"])
    return resolve(config.feature_set or model.input_spec.feature_set, container.feature_names, config.feature_sets)


def inner_parts(container: TimeSeriesDataContainer, rows: np.ndarray) -> InnerRows:
    """Fit, stop and calibrate positions among some training rows of a container."""
    labels = container.labels
    return inner_rows(container.index["time_ns"][rows], labels.scheduled_end_ns[rows], labels.uniqueness[rows])


def _lookback(model: BaseModel) -> int | None:
    return model.lookback if model.requires_sequences else None


def _taken(inputs: Any, rows: np.ndarray) -> Any:
    return inputs.take(rows) if isinstance(inputs, WindowSource) else inputs[rows]


def _samples(
    container: TimeSeriesDataContainer,
    rows: np.ndarray,
    inputs: Any,
    columns: tuple[str, ...],
    config: TrainerConfig,
    model: BaseModel,
) -> Samples:
    """Scaled inputs of some rows with their labels and weights, and with their symbols for a model that reads them."""
    samples = container.samples(
        rows,
        columns=columns,
        inputs=inputs,
        weighting=config.weighting,
        balanced=config.balanced,
        with_market=model.input_spec.needs_market,
    )
    if not _reads_symbol(model, container):
        return samples
    return samples.with_symbol(container.symbols, container.index["symbol_code"][rows])


def _reads_symbol(model: BaseModel, container: TimeSeriesDataContainer) -> bool:
    """Whether the model gets the symbol: it must ask for it, and a single symbol says nothing."""
    return model.input_spec.static_symbol and len(container.symbols) > 1


def _refuse_unseen_symbol(model: BaseModel, container: TimeSeriesDataContainer, fit_rows: np.ndarray) -> None:
    if not _reads_symbol(model, container):
        return
    seen = np.bincount(container.index["symbol_code"][fit_rows], minlength=len(container.symbols))
    unseen = [symbol for symbol, count in zip(container.symbols, seen.tolist(), strict=True) if not count]
    if unseen:
        raise DataError(
            f"model {model.name!r} reads the symbol, and {unseen[0]} has no rows to fit on.",
            where=container.origin or "",
            help="leave it out of the dataset, give it a longer history, or use another model",
        )


def _calibrator(
    config: TrainerConfig, container: TimeSeriesDataContainer, rows: np.ndarray, pipeline: FittedPipeline
) -> tuple[Calibrator, tuple[str, ...]]:
    """The calibrator fitted on rows that the model never saw, or the identity with the reason."""
    if not config.calibrate:
        return IDENTITY, ("calibration is off",)
    if not len(rows):
        return IDENTITY, ()
    raw = pipeline.predict(container, rows).raw
    calibrator = fit_calibrator(raw, container.labels.label[rows])
    if calibrator.is_identity:
        return calibrator, ("no calibrator: a class is missing in the calibrate rows, or none lowers their log-loss",)
    return calibrator, ()


def _refit(
    config: TrainerConfig,
    container: TimeSeriesDataContainer,
    rows: np.ndarray,
    first: FittedPipeline,
    metrics: TrainingMetrics,
) -> FittedPipeline:
    """A new model on all training rows, stopped at the best round of the first; the calibrator stays from the first."""
    schedule = first.model.refit_schedule(metrics)
    model = config.create_model(**schedule)
    scaler = Scaler.fit(model.input_spec.scaling, container.matrix(rows, first.columns))
    inputs = scaler.apply(container.inputs(rows, first.columns, first.lookback))
    model.fit(_samples(container, rows, inputs, first.columns, config, model))
    return FittedPipeline(model, first.columns, scaler, first.calibrator)


def _row_counts(rows: np.ndarray, inner: InnerRows) -> dict[str, int]:
    return {"train": len(rows), "fit": len(inner.fit), "stop": len(inner.stop), "calibrate": len(inner.calibrate)}
