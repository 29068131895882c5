"""Permutation importance: how much worse a fitted model predicts rows it never saw when a column is exchanged among them.

It asks `predict` alone, so every model has one, ensembles and plugins too, and it counts what helps on new rows, not what
was used in the fit (Breiman 2001; Fisher, Rudin and Dominici 2019). A column is exchanged whole: a row gets the values
that another row of its symbol saw, in every bar of its window. Blocks of neighbouring rows move together, because
neighbours are alike and their labels overlap.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.samples import RowMarket
from ohlcv_factory.dataset.windows import WindowSource
from ohlcv_factory.errors import DataError
from ohlcv_factory.evaluation.classification import log_loss
from ohlcv_factory.evaluation.significance import default_block_length
from ohlcv_factory.features.catalogue import category_of
from ohlcv_factory.models.base import BaseModel
from ohlcv_factory.runtime.seeding import component_generator
from ohlcv_factory.training.explanation import evenly_spaced
from ohlcv_factory.training.pipeline import Answers, ContainerRows, RowSource

MOST_ROWS = 2000
"""Rows that are asked about, evenly spaced: each costs a prediction per column and repeat."""
REPEATS = 3
"""Exchanges per column, averaged."""

Subject = Literal["feature", "category", "bars"]


class Answering(Protocol):
    """A fitted pipeline, or an ensemble of several."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The feature columns that it reads."""

    @property
    def lookback(self) -> int | None:
        """Bars of its longest window; None where it reads single bars."""

    def answers(self, source: RowSource) -> Answers:
        """Probabilities and decisions of some rows."""


@dataclass(frozen=True)
class Importance:
    """What exchanging one thing costs."""

    subject: Subject
    name: str
    """A column, a category of columns, or a stretch of bars of the window: 0 is the bar of the decision."""
    increase: float
    """Of the log-loss, in nats: 0 means that the model does as well without; below 0 it does better."""


@dataclass(frozen=True)
class Exchanged:
    """What is exchanged: some columns, in some bars of the window where not in all."""

    subject: Subject
    name: str
    columns: frozenset[str]
    bars: tuple[int, int] | None = None
    """First and last of the bars, counted back from the decision: (3, 2) is the bars -3 and -2; None for all."""

    def apply(self, values: np.ndarray, columns: Sequence[str], order: np.ndarray) -> np.ndarray:
        """A copy of `(n, F)` or `(n, lookback, F)` in which each row has these values of the row that `order` names.

        Bars that do not exist, NaN in a padded window, stay so, and nothing is taken from them.
        """
        chosen = [position for position, name in enumerate(columns) if name in self.columns]
        exchanged = values.copy()
        places = (..., chosen) if self.bars is None else (slice(None), self._bars(values.shape[1]), chosen)
        other = values[order][places]
        own = values[places]
        exchanged[places] = np.where(np.isnan(own) | np.isnan(other), own, other)
        return exchanged

    def _bars(self, lookback: int) -> slice:
        first, last = self.bars or (lookback - 1, 0)
        return slice(max(0, lookback - 1 - first), max(0, lookback - last))


@dataclass(frozen=True)
class ExchangedRows:
    """Rows of a source in which something is exchanged."""

    source: RowSource
    what: Exchanged
    order: np.ndarray
    """`(n,)`: the row that each row gets its values from."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """Those of the source."""
        return self.source.symbols

    @property
    def codes(self) -> np.ndarray:
        """Position of each row's symbol; a row keeps its own."""
        return self.source.codes

    def inputs(self, model: BaseModel, columns: Sequence[str]) -> Any:
        """What a model reads of the rows after the exchange."""
        values = self.source.inputs(model, columns)
        if not self.what.columns.intersection(columns):
            return values
        if isinstance(values, WindowSource):
            return WindowSource.of_array(
                self.what.apply(values[:], columns, self.order), padded=model.input_spec.padded
            )
        return values if self.what.bars else self.what.apply(np.asarray(values), columns, self.order)

    def matrix(self, columns: Sequence[str]) -> np.ndarray:
        """Columns of the rows after the exchange."""
        values = self.source.matrix(columns)
        return values if self.what.bars else self.what.apply(values, columns, self.order)

    def market(self) -> RowMarket:
        """The rows' own label rules: they are the question, not an input."""
        return self.source.market()


def permutation_importance(
    pipeline: Answering,
    container: TimeSeriesDataContainer,
    rows: np.ndarray,
    *,
    seed: int,
    repeats: int = REPEATS,
) -> tuple[Importance, ...]:
    """What each column, each category and, of a model of windows, each stretch of bars is worth on some rows.

    `rows` of the container, none of which the pipeline was fitted on; at most 2000 of the scored ones are asked about.
    Features come first, then categories, then bars from the newest, in the order of the pipeline's columns. The seed
    decides every exchange. Raises DataError (65) without a scored row.
    """
    chosen = evenly_spaced(rows[container.labels.scored[rows]], MOST_ROWS)
    if not len(chosen):
        raise DataError("no row has a label to be wrong about.", help="give rows of train or val")
    source, truth = ContainerRows(container, chosen), container.labels.label[chosen]
    before = log_loss(truth, pipeline.answers(source)[1])
    found = []
    for what in _subjects(pipeline):
        losses = [log_loss(truth, _answers(pipeline, source, what, seed, turn)) for turn in range(repeats)]
        found.append(Importance(what.subject, what.name, float(np.mean(losses)) - before))
    return tuple(found)


def _answers(pipeline: Answering, source: ContainerRows, what: Exchanged, seed: int, turn: int) -> np.ndarray:
    """Calibrated probabilities after one exchange."""
    generator = component_generator(seed, "permutation", what.subject, what.name, turn)
    return pipeline.answers(ExchangedRows(source, what, block_order(source.codes, generator)))[1]


def _subjects(pipeline: Answering) -> Iterator[Exchanged]:
    columns = pipeline.columns
    for name in columns:
        yield Exchanged("feature", name, frozenset((name,)))
    for category in dict.fromkeys(map(category_of, columns)):
        members = frozenset(name for name in columns if category_of(name) == category)
        yield Exchanged("category", category, members)
    for first, last in stretches(pipeline.lookback or 1):
        yield Exchanged("bars", stretch_name(first, last), frozenset(columns), (first, last))


def stretches(lookback: int) -> list[tuple[int, int]]:
    """Stretches of a window, each twice as long as the one after it: (0, 0), (1, 1), (3, 2), (7, 4), … bars back.

    Nothing for a single bar.
    """
    if lookback < 2:
        return []
    found, last = [(0, 0)], 1
    while last < lookback:
        found.append((min(2 * last - 1, lookback - 1), last))
        last *= 2
    return found


def stretch_name(first: int, last: int) -> str:
    """`0`, `-1`, `-3 to -2`."""
    return f"-{first} to -{last}" if first > last else f"-{last}" if last else "0"


def block_order(codes: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The row that each row gets its values from, `(n,)`: blocks of neighbouring rows of one symbol change places."""
    order = np.arange(len(codes))
    for code in np.unique(codes):
        own = np.flatnonzero(codes == code)
        blocks = np.array_split(own, max(1, len(own) // default_block_length(len(own))))
        order[own] = np.concatenate([blocks[place] for place in generator.permutation(len(blocks))])
    return order
