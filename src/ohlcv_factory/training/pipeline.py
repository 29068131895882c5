"""Features to decision: scaler, model, calibrator, rule. The one path of val, test, `predict` and live sessions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.samples import RowMarket, Samples, taken, with_codes
from ohlcv_factory.dataset.scaling import Scaler
from ohlcv_factory.errors import DataError
from ohlcv_factory.evaluation.calibrators import Calibrator
from ohlcv_factory.evaluation.decisions import ARGMAX, DecisionRule
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.models.base import BaseModel
from ohlcv_factory.models.explanation import Explanation
from ohlcv_factory.models.small_blocks import fewest_rows

Answers = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Raw probabilities `(n, 3)`, calibrated ones `(n, 3)` and decisions `(n,)`."""


class Question(NamedTuple):
    """What a pipeline is asked: unscaled inputs, the symbols and their codes, the rows' label rules."""

    X: Any
    """`(n, F)` float32, or windows."""
    symbols: tuple[str, ...] = ()
    codes: np.ndarray | None = None
    """Position of each row's symbol, `(n,)`."""
    market: RowMarket | None = None

    def take(self, rows: np.ndarray) -> Question:
        """The same for some rows."""
        codes, market = self.codes, self.market
        kept = None if codes is None else codes[rows]
        return Question(taken(self.X, rows), self.symbols, kept, None if market is None else market.take(rows))


class RowSource(Protocol):
    """Some rows of a dataset or of raw bars, as any model can read them."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols that the rows belong to."""

    @property
    def codes(self) -> np.ndarray:
        """Position of each row's symbol among `symbols`, `(n,)`."""

    def inputs(self, model: BaseModel, columns: Sequence[str]) -> Any:
        """What a model reads, unscaled: `(n, len(columns))`, or windows."""

    def matrix(self, columns: Sequence[str]) -> np.ndarray:
        """Columns at the bars of the rows themselves, unscaled: `(n, len(columns))`."""

    def market(self) -> RowMarket:
        """The label rules of the rows."""


@dataclass(frozen=True)
class ContainerRows:
    """Rows of a container as a source."""

    container: TimeSeriesDataContainer
    rows: np.ndarray

    @property
    def symbols(self) -> tuple[str, ...]:
        """Those of the container."""
        return self.container.symbols

    @property
    def codes(self) -> np.ndarray:
        """Position of each row's symbol, `(n,)`."""
        codes: np.ndarray = self.container.index["symbol_code"][self.rows]
        return codes

    def inputs(self, model: BaseModel, columns: Sequence[str]) -> Any:
        """A matrix or windows, as the model asks."""
        return model_inputs(model, self.container, self.rows, columns)

    def matrix(self, columns: Sequence[str]) -> np.ndarray:
        """Columns of the rows."""
        return self.container.matrix(self.rows, columns)

    def market(self) -> RowMarket:
        """The label rules of the rows."""
        return self.container.row_market(self.rows)


@dataclass(frozen=True)
class FittedPipeline:
    """A fitted model with everything that was fitted around it."""

    model: BaseModel
    columns: tuple[str, ...]
    """Feature columns in the order of the fit."""
    scaler: Scaler
    calibrator: Calibrator
    rule: DecisionRule = ARGMAX
    block_rows: int | None = None
    """Rows of the model's blocks where they are fewer than its own: those of a live session."""

    @property
    def lookback(self) -> int | None:
        """Bars per window, None for a tabular model."""
        return lookback_of(self.model)

    @property
    def pipelines(self) -> tuple[FittedPipeline, ...]:
        """This one alone: an ensemble has several."""
        return (self,)

    def for_single_rows(self) -> FittedPipeline:
        """The same, to be asked one row at a time: in the smallest blocks that give the same bytes on this machine."""
        return replace(self, block_rows=fewest_rows(self.model))

    def probabilities(
        self,
        X: Any,
        symbols: Sequence[str] = (),
        codes: np.ndarray | None = None,
        market: RowMarket | None = None,
    ) -> Answers:
        """Raw `(n, 3)`, calibrated `(n, 3)` and decision `(n,)` for unscaled inputs: `(n, len(columns))` or windows.

        `codes` `(n,)` are positions among `symbols`, for a model that reads the symbol; `market` holds the rows' label
        rules, for a model that reads those. Raises DataError (65) for a symbol that such a model has not seen,
        UsageError (2) where the market is missing.
        """
        raw = self.model_answers(X, symbols, codes, market)
        calibrated = self.calibrator.apply(raw)
        return raw, calibrated, self.rule.decide(calibrated)

    def model_answers(
        self, X: Any, symbols: Sequence[str] = (), codes: np.ndarray | None = None, market: RowMarket | None = None
    ) -> np.ndarray:
        """Raw probabilities `(n, 3)` of the model alone. Raises what `probabilities` does."""
        ready = self._ready(X, symbols, codes, market)
        return self.model.predict(ready, block_rows=self.block_rows).class_probabilities

    def answers(self, source: RowSource) -> Answers:
        """Probabilities and decisions of some rows, of a dataset or of raw bars. Raises what `probabilities` does."""
        return self.probabilities(*self.question(source))

    def predict(self, container: TimeSeriesDataContainer, rows: np.ndarray) -> Predictions:
        """Predictions of some rows of a container, with their truth where there is one."""
        return predictions_of(container, rows, self.answers(ContainerRows(container, rows)), self.rule)

    def explain(self, container: TimeSeriesDataContainer, rows: np.ndarray) -> dict[str, Explanation]:
        """What the model says about some rows of a container; nothing for most models."""
        return self.model.predict(self._ready(*self.question(ContainerRows(container, rows))), explain=True).metadata

    def question(self, source: RowSource) -> Question:
        """Unscaled inputs of some rows, their symbols, and their label rules for a model that reads them."""
        market = source.market() if self.model.input_spec.needs_market else None
        return Question(source.inputs(self.model, self.columns), source.symbols, source.codes, market)

    def _ready(self, X: Any, symbols: Sequence[str], codes: np.ndarray | None, market: RowMarket | None) -> Any:
        """Scaled inputs, with the model's code of each row's symbol and with the market where it reads them."""
        scaled = self.scaler.apply(X)
        if self.model.symbols:
            scaled = with_codes(scaled, self._own_codes(len(X), symbols, codes))
        if market is None:
            return scaled
        return Samples.to_predict(scaled, self.model.feature_names, market, self.model.symbols)

    def _own_codes(self, count: int, symbols: Sequence[str], codes: np.ndarray | None) -> np.ndarray:
        """The model's code of each row's symbol, `(count,)`. Raises DataError (65) for one that it has not seen."""
        known = self.model.symbols
        codes = np.zeros(0, np.int64) if codes is None else codes
        strange = [symbol for code, symbol in enumerate(symbols) if symbol not in known and (codes == code).any()]
        if strange or len(codes) != count:
            raise DataError(
                f"model {self.model.name!r} reads the symbol and has not seen {strange[0] if strange else 'one here'}.",
                help=f"known: {', '.join(known)}",
            )
        own = np.array([known.index(symbol) if symbol in known else -1 for symbol in symbols], dtype=np.int64)
        chosen: np.ndarray = own[codes]
        return chosen


def predictions_of(
    container: TimeSeriesDataContainer, rows: np.ndarray, answers: Answers, rule: DecisionRule
) -> Predictions:
    """Answers about some rows of a container as predictions, with their truth where there is one."""
    raw, calibrated, decision = answers
    labels = container.labels
    return Predictions(
        index=container.index[rows],
        symbols=container.symbols,
        raw=raw,
        probabilities=calibrated,
        decision=decision,
        truth=labels.label[rows],
        labelled=labels.labelled[rows],
        scored=labels.scored[rows],
        horizon=container.horizon,
        sets=rule.sets(calibrated),
    )


def lookback_of(model: BaseModel) -> int | None:
    """Bars per window of a model, None for a tabular one."""
    return model.lookback if model.requires_sequences else None


def model_inputs(model: BaseModel, container: TimeSeriesDataContainer, rows: np.ndarray, columns: Sequence[str]) -> Any:
    """What a model reads of some rows of a container, unscaled: a matrix, or windows, padded where it asks for that."""
    return container.inputs(rows, columns, lookback_of(model), padded=model.input_spec.padded)
