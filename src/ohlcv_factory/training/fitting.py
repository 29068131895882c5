"""One fit: columns, inner rows, weights, scaler, model, calibrator. Nothing here touches a disk or a later part."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.samples import Samples, Scaling, taken
from ohlcv_factory.dataset.scaling import Scaler
from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.evaluation.calibrators import IDENTITY
from ohlcv_factory.features.catalogue import category_of
from ohlcv_factory.features.plugins import PluginRecord, require
from ohlcv_factory.features.raw import RAW
from ohlcv_factory.features.selection import Selection, fit_selection, sample_to_feature_note
from ohlcv_factory.features.sets import feature_set, resolve, select
from ohlcv_factory.labels.classes import CLASS_COUNT, CLASS_NAMES
from ohlcv_factory.models.base import BaseModel, EpochSink, TrainingMetrics
from ohlcv_factory.splits.inner import InnerRows, inner_rows
from ohlcv_factory.training.answers import Answers, fit_answers
from ohlcv_factory.training.drift import TrainingRange
from ohlcv_factory.training.machine import machine_notes, warm_up_notes
from ohlcv_factory.training.pipeline import FittedPipeline, model_inputs
from ohlcv_factory.training.settings import TrainerConfig


@dataclass(frozen=True)
class Fit:
    """A fitted pipeline and how it came about."""

    pipeline: FittedPipeline
    metrics: TrainingMetrics
    row_counts: dict[str, int]
    """Scored rows of train, fit, stop and calibrate, and of those the ones that a decision rule was fitted on."""
    notes: tuple[str, ...]
    selection: Selection
    """The columns that were kept of the feature set's; learnt from the fit rows."""
    training_range: TrainingRange | None
    """Where the features of the fit rows lie, for a fit that is kept; None where it was not asked for."""


def fit_pipeline(
    config: TrainerConfig,
    container: TimeSeriesDataContainer,
    sink: EpochSink | None = None,
    resume: Path | None = None,
    *,
    kept: bool = True,
) -> Fit:
    """Fit on the container's train part and on nothing else; `resume` is a checkpoint of the same fit that was cut off.

    A fit that is not `kept` does not note where its features lie, which only predictions of later bars need.
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
    read = model_inputs(model, container, rows, columns)
    fit_values = _values(model, container, rows[inner.fit], columns, taken(read, inner.fit))
    scaler = Scaler.fit(scaling_of(config, model), fit_values)
    inputs = scaler.apply(read)
    fit_rows, stop_rows = (
        _samples(container, rows[part], taken(inputs, part), columns, config, model) for part in (inner.fit, inner.stop)
    )
    metrics = model.fit(fit_rows, stop_rows, sink=sink, resume=resume)
    bare = FittedPipeline(model, columns, scaler, IDENTITY)
    answers = fit_answers(config, container, rows[inner.calibrate], bare)
    pipeline = replace(bare, calibrator=answers.calibrator, rule=answers.rule)
    if config.refit == "all":
        pipeline = _refit(config, container, rows, pipeline, metrics)
    notes = (*machine_notes(model), *warm_up_notes(model), *inner.notes, *answers.notes)
    notes = (*notes, *_column_notes(selection, len(inner.fit)))
    seen = _range(model, fit_values, columns) if kept else None
    return Fit(pipeline, metrics, _row_counts(rows, inner, answers), notes, selection, seen)


def _range(model: BaseModel, fit_values: np.ndarray, columns: tuple[str, ...]) -> TrainingRange:
    """Where the columns lie; of a model that reads the bars none, as raw prices leave their range by themselves."""
    watched = slice(0 if model.input_spec.padded else None)
    return TrainingRange.fit(fit_values[:, watched], columns[watched])


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


def refuse_other_horizon(container: TimeSeriesDataContainer, horizon: int) -> None:
    """Raise UsageError (2) where a config asks for another horizon than the container holds."""
    if container.horizon != horizon:
        raise UsageError(
            f"the config asks for horizon {horizon}, the container holds {container.horizon}.",
            help="give both the same horizon",
        )


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

    A model of padded windows takes raw columns from the bars, whether or not the dataset holds them. Raises UsageError (2)
    or VerificationError (76) where a plugin that made columns of the container is not loaded, or is another one; UsageError
    (2) for a set that cannot be resolved, and for computed columns or a scaler where only raw ones can be read.
    """
    refuse_ensemble(model)
    scaling_of(config, model)
    require(PluginRecord.from_plain(record) for record in container.data_spec["plugins"])
    chosen = config.feature_set or model.input_spec.feature_set
    if not model.input_spec.padded:
        return resolve(chosen, container.feature_names, config.feature_sets)
    _refuse_other_than_bars(config, model, select(feature_set(chosen, config.feature_sets)))
    return resolve(chosen, container.raw_names, config.feature_sets)


def scaling_of(config: TrainerConfig, model: BaseModel) -> Scaling:
    """The config's scaler, or the model's own. Raises UsageError (2) where a model reads the bars themselves."""
    own = model.input_spec.scaling
    if config.scaling is not None and model.input_spec.padded:
        raise UsageError(
            f"model {model.name!r} reads the bars themselves, which no scaler may change.",
            where="scaling",
            help="leave it out",
        )
    return config.scaling or own


def refuse_ensemble(model: BaseModel) -> None:
    """Raise UsageError (2) for a model on predictions: features alone are nothing to it."""
    if model.input_spec.is_ensemble:
        raise UsageError(
            f"model {model.name!r} learns from out-of-fold predictions of other models, not from features.",
            where="model_name",
            help=f"ohlcv-factory ensemble --method {model.name} --members A,B …, or studies.ensembling.train_ensemble",
        )


def _refuse_other_than_bars(config: TrainerConfig, model: BaseModel, asked: tuple[str, ...]) -> None:
    """A model of padded windows reads whole bars: neither computed columns nor a selection among those of the bar."""
    computed = next((name for name in asked if category_of(name) != RAW.name), None)
    if computed:
        raise UsageError(
            f"model {model.name!r} reads the bars themselves, {computed!r} is computed from them.",
            where="feature_set",
            help="close_only, ohlcv_raw, or a set of open, high, low, close, volume",
        )
    if config.feature_selection != "none":
        raise UsageError(
            f"model {model.name!r} reads the bars themselves, which a selection would take apart.",
            where="feature_selection",
            help="leave it at none",
        )


def inner_parts(container: TimeSeriesDataContainer, rows: np.ndarray) -> InnerRows:
    """Fit, stop and calibrate positions among some training rows of a container."""
    labels = container.labels
    return inner_rows(container.index["time_ns"][rows], labels.scheduled_end_ns[rows], labels.uniqueness[rows])


def _values(
    model: BaseModel, container: TimeSeriesDataContainer, rows: np.ndarray, columns: tuple[str, ...], read: Any
) -> np.ndarray:
    """The columns at the bars of some rows, unscaled `(n, F)`: what a scaler is fitted on. `read` is what the model reads."""
    if not model.requires_sequences:
        return np.asarray(read)
    if not model.input_spec.padded:
        return container.matrix(rows, columns)
    newest: np.ndarray = container.padded_windows(rows, columns, 1)[:][:, 0]
    return newest


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


def _refit(
    config: TrainerConfig,
    container: TimeSeriesDataContainer,
    rows: np.ndarray,
    first: FittedPipeline,
    metrics: TrainingMetrics,
) -> FittedPipeline:
    """A new model on all training rows, stopped at the best round of the first; calibrator and rule stay from the first."""
    schedule = first.model.refit_schedule(metrics)
    model = config.create_model(**schedule)
    read = model_inputs(model, container, rows, first.columns)
    scaler = Scaler.fit(scaling_of(config, model), _values(model, container, rows, first.columns, read))
    inputs = scaler.apply(read)
    model.fit(_samples(container, rows, inputs, first.columns, config, model))
    return replace(first, model=model, scaler=scaler)


def _row_counts(rows: np.ndarray, inner: InnerRows, answers: Answers) -> dict[str, int]:
    counts = {"train": len(rows), "fit": len(inner.fit), "stop": len(inner.stop), "calibrate": len(inner.calibrate)}
    return counts | ({"decide": answers.decision_rows} if answers.decision_rows else {})
