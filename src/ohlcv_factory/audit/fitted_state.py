"""Does anything fitted know rows that it was not fitted on? Those rows become garbage, and every bit must stay."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from ohlcv_factory.audit.violation import Violation, overall, worst_difference
from ohlcv_factory.bars.schema import COLUMNS
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.market import SymbolMarket
from ohlcv_factory.labels.classes import CLASS_COUNT
from ohlcv_factory.models.base import BaseModel
from ohlcv_factory.runtime.clock import time_text
from ohlcv_factory.storage.digests import file_digest
from ohlcv_factory.studies.folds import TrainFolds
from ohlcv_factory.studies.settings import CrossValidationConfig
from ohlcv_factory.training.fitting import Fit, fit_pipeline, inner_parts
from ohlcv_factory.training.settings import TrainerConfig

TEST = "fitted state"
GARBAGE = 1000.0
PURE_FORMATS = (".txt", ".ubj", ".safetensors")
"""Suffixes of model files that hold nothing but the fit: the same fit has the same bytes."""


@dataclass(frozen=True)
class FittedState:
    """What a fit learnt around its model."""

    columns: tuple[str, ...]
    per_column: dict[str, np.ndarray] = field(default_factory=dict)
    """Arrays `(F,)`, one value for each of `columns`."""
    other: dict[str, np.ndarray] = field(default_factory=dict)
    """Arrays of any length that belong to no column."""


FitState = Callable[[TimeSeriesDataContainer], FittedState]


def scaler_and_selection(fit: Fit) -> FittedState:
    """What may only know the fit rows: the columns that are kept, and their scaler."""
    pipeline = fit.pipeline
    return FittedState(pipeline.columns, {"centre": pipeline.scaler.centre, "scale": pipeline.scaler.scale})


def everything_fitted(fit: Fit, container: TimeSeriesDataContainer) -> FittedState:
    """What may only know the train part: columns, scaler, calibrator, decision rule, best round, losses, and the model.

    Model, calibrator and rule speak by their answers to the train rows, to the bit; the model also by its own file, where
    that holds the fit alone.
    """
    pipeline = fit.pipeline
    answers = pipeline.predict(container, container.rows("train"))
    told = {"model": answers.raw, "calibrator": answers.probabilities, "decision rule": answers.decision}
    learnt = {name: values.ravel() for name, values in told.items()} | {"curves": _losses(fit)}
    return replace(scaler_and_selection(fit), other=learnt | _model_file(pipeline.model))


def audit_fit(
    config: TrainerConfig, container: TimeSeriesDataContainer, first: Fit | None = None
) -> Iterator[Violation]:
    """Scaler and selection know the fit rows only, the model fit and stop rows only, all that is fitted the train part only.

    With `refit: all` scaler and model may know the whole train part. `first` is a fit of that config on that container,
    where one is at hand.
    """
    known = fit_pipeline(config, container) if first is None else first
    for rows, state in _secrets(config, container, known):
        changed = with_garbage(container, rows)
        after = state(fit_pipeline(config, changed), changed)
        yield from state_differences(state(known, container), after, container, rows)


State = Callable[[Fit, TimeSeriesDataContainer], FittedState]


def _secrets(config: TrainerConfig, container: TimeSeriesDataContainer, fit: Fit) -> Iterator[tuple[np.ndarray, State]]:
    """Rows, and what of a fit must not know them."""
    yield rows_after(container, np.flatnonzero(container.part == 0)), everything_fitted
    if config.refit == "all":
        return
    train = container.rows("train", scored=True)
    inner = inner_parts(container, train)
    learnt = train[np.union1d(inner.fit, inner.stop)]
    if len(inner.calibrate):
        yield rows_after(container, learnt), partial(_model_alone, rows=learnt)
    if fit.pipeline.model.input_spec.scaling != "none" or config.feature_selection != "none":
        yield rows_not_fitted(container), lambda found, _: scaler_and_selection(found)


def rows_after(container: TimeSeriesDataContainer, rows: np.ndarray) -> np.ndarray:
    """Every row later than the last of these: no window of theirs reads it, as it may read a row between them."""
    time = container.index["time_ns"]
    return np.flatnonzero(time > time[rows].max())


def _model_alone(fit: Fit, container: TimeSeriesDataContainer, rows: np.ndarray) -> FittedState:
    """Columns, scaler, curves and the model, which speaks by its answers to some rows and by its file."""
    raw = fit.pipeline.predict(container, rows).raw.ravel()
    told = {"model": raw, "curves": _losses(fit)} | _model_file(fit.pipeline.model)
    return replace(scaler_and_selection(fit), other=told)


def audit_folds(
    config: TrainerConfig,
    container: TimeSeriesDataContainer,
    cv: CrossValidationConfig,
    numbers: Sequence[int] | None = None,
) -> Iterator[Violation]:
    """What each fold (or only those of these numbers, from 1) fits knows nothing of the blocks that it tests.

    For a model that reads windows either the gap after a block must be longer than they are, or `cv` purges them: the
    features of a block are no secret to later rows, its labels are.
    """
    folds = TrainFolds.of(container, cv, config.create_model().lookback)
    for fold in folds.folds:
        if numbers is not None and fold.number not in numbers:
            continue
        yield from fitted_state(_fitted_whole(config), folds.part(fold), folds.tested(fold))


def rows_not_fitted(container: TimeSeriesDataContainer) -> np.ndarray:
    """Every row of a container but the fit rows: stop, calibrate, val, test, gaps, and rows that are not scored."""
    train = container.rows("train", scored=True)
    return np.setdiff1d(np.arange(len(container)), train[inner_parts(container, train).fit])


def fitted_state(fit: FitState, container: TimeSeriesDataContainer, rows: np.ndarray) -> Iterator[Violation]:
    """Fit twice, the second time with other features and labels in `rows`: the state must be the same bit for bit."""
    yield from state_differences(fit(container), fit(with_garbage(container, rows)), container, rows)


def state_differences(
    before: FittedState, after: FittedState, container: TimeSeriesDataContainer, rows: np.ndarray
) -> Iterator[Violation]:
    """What differs between two states, the second one fitted after some rows became garbage."""
    for name, size, complaint in _differences(before, after):
        yield _at_first_row(container, rows, name, size, complaint)


def with_garbage(container: TimeSeriesDataContainer, rows: np.ndarray) -> TimeSeriesDataContainer:
    """The container with other features, bars and labels in some rows."""
    table, labels = container.table.copy(), container.labels.label.copy()
    table[container.table_row[rows]] = GARBAGE
    labels[rows] = (labels[rows] + 1) % CLASS_COUNT
    markets = tuple(
        _market_with_garbage(market, container.index["row"][rows[container.index["symbol_code"][rows] == code]])
        for code, market in enumerate(container.markets)
    )
    return replace(container, table=table, labels=replace(container.labels, label=labels), markets=markets)


def _fitted_whole(config: TrainerConfig) -> FitState:
    return lambda container: everything_fitted(fit_pipeline(config, container), container)


def _market_with_garbage(market: SymbolMarket, places: np.ndarray) -> SymbolMarket:
    """Other prices, volumes and ATR at some bars: what padded windows and label rules are read from."""
    factor = np.ones(len(market.bars))
    factor[places] = GARBAGE
    bars = replace(market.bars, **{name: getattr(market.bars, name) * factor for name in COLUMNS})
    return replace(market, bars=bars, atr=market.atr * factor)


def _losses(fit: Fit) -> np.ndarray:
    """Best round, losses, and every curve of a fit, one after the other."""
    metrics = fit.metrics
    curves = [np.asarray(values, dtype=np.float64) for _, values in sorted(metrics.history.items())]
    return np.concatenate([[metrics.best_epoch or 0, metrics.train_loss, metrics.val_loss], *curves])


def _model_file(model: BaseModel) -> dict[str, np.ndarray]:
    """Digest of the model's own file; nothing for formats that also hold a time or an identity."""
    if model.native_suffix not in PURE_FORMATS:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model")
        digest = file_digest(Path(folder) / f"model{model.native_suffix}")
    return {"model file": np.frombuffer(bytes.fromhex(digest), dtype=np.uint8).astype(np.float64)}


def _differences(before: FittedState, after: FittedState) -> Iterator[tuple[str, float | None, str]]:
    """Column (or part of the state), size and words of each difference."""
    if before.columns != after.columns:
        for name in sorted(set(before.columns) ^ set(after.columns)):
            then, now = ("kept", "dropped") if name in before.columns else ("dropped", "kept")
            yield name, None, f"rows that it must not know decide whether it is kept: {then}, then {now}"
        return
    for part, values in before.per_column.items():
        worst = worst_difference(after.per_column[part], values)
        if worst is not None:
            yield _sized(before.columns[worst], part, after.per_column[part][worst], values[worst])
    for part, values in before.other.items():
        other = after.other[part]
        if len(other) != len(values):
            yield part, None, f"rows that it must not know change its state: {len(other)} values for {len(values)}"
            continue
        worst = worst_difference(other, values)
        if worst is not None:
            yield _sized(part, "state", other[worst], values[worst])


def _sized(name: str, part: str, got: float, expected: float) -> tuple[str, float, str]:
    complaint = f"rows that it must not know change its {part}: {got:.9g} for {expected:.9g}"
    return name, float(abs(got - expected)), complaint


def _at_first_row(
    container: TimeSeriesDataContainer, rows: np.ndarray, name: str, size: float | None, complaint: str
) -> Violation:
    """A violation at the first of the rows that were changed."""
    index = container.index[rows[0]]
    symbol = container.symbols[index["symbol_code"]]
    found = overall(TEST, name, symbol, complaint, size)
    return replace(found, bar=int(index["row"]), time=time_text(index["time_ns"]))
