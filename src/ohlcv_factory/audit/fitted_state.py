"""Does anything fitted know rows that it was not fitted on? Those rows become garbage, and every bit must stay."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
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


def scaler_and_selection(config: TrainerConfig) -> FitState:
    """What may only know the fit rows: the columns that are kept, and their scaler."""

    def fit(container: TimeSeriesDataContainer) -> FittedState:
        pipeline = fit_pipeline(config, container).pipeline
        return FittedState(pipeline.columns, {"centre": pipeline.scaler.centre, "scale": pipeline.scaler.scale})

    return fit


def everything_fitted(config: TrainerConfig) -> FitState:
    """What may only know the train part: columns, scaler, calibrator, decision rule, best round, losses, and the model.

    Model, calibrator and rule speak by their answers to the train rows, to the bit; the model also by its own file, where
    that holds the fit alone.
    """

    def fit(container: TimeSeriesDataContainer) -> FittedState:
        found = fit_pipeline(config, container)
        pipeline = found.pipeline
        answers = pipeline.predict(container, container.rows("train"))
        scaler = {"centre": pipeline.scaler.centre, "scale": pipeline.scaler.scale}
        told = {"model": answers.raw, "calibrator": answers.probabilities, "decision rule": answers.decision}
        learnt = {name: values.ravel() for name, values in told.items()} | {"curves": _losses(found)}
        return FittedState(pipeline.columns, scaler, learnt | _model_file(pipeline.model))

    return fit


def audit_fit(config: TrainerConfig, container: TimeSeriesDataContainer) -> Iterator[Violation]:
    """Scaler and selection know the fit rows only; all that is fitted knows the train part only."""
    yield from fitted_state(scaler_and_selection(config), container, rows_not_fitted(container))
    yield from fitted_state(everything_fitted(config), container, np.flatnonzero(container.part != 0))


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
        yield from fitted_state(everything_fitted(config), folds.part(fold), folds.tested(fold))


def rows_not_fitted(container: TimeSeriesDataContainer) -> np.ndarray:
    """Every row of a container but the fit rows: stop, calibrate, val, test, gaps, and rows that are not scored."""
    train = container.rows("train", scored=True)
    return np.setdiff1d(np.arange(len(container)), train[inner_parts(container, train).fit])


def fitted_state(fit: FitState, container: TimeSeriesDataContainer, rows: np.ndarray) -> Iterator[Violation]:
    """Fit twice, the second time with other features and labels in `rows`: the state must be the same bit for bit."""
    before, after = fit(container), fit(with_garbage(container, rows))
    found = list(_differences(before, after))
    for name, size, complaint in found:
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
