"""Features, labels, weights and parts of one horizon: what every model is trained and scored on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ohlcv_factory.bars.load import BarFile, ReadAccount
from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.dataset.build import Dataset, SymbolData, build_dataset, scheduled_end_ns
from ohlcv_factory.dataset.market import SymbolMarket, row_market
from ohlcv_factory.dataset.rolled import feature_rows, first_rows, padded_windows
from ohlcv_factory.dataset.samples import INDEX_DTYPE, RowMarket, Samples
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.dataset.windows import WindowSource
from ohlcv_factory.errors import DataError, UsageError, unknown_name
from ohlcv_factory.features.raw import RAW
from ohlcv_factory.labels.classes import CLASS_COUNT, CLASS_NAMES
from ohlcv_factory.labels.weights import Weighting, training_weights
from ohlcv_factory.runtime.clock import time_text
from ohlcv_factory.splits.chronological import NO_PART, PART_NAMES
from ohlcv_factory.splits.spans import LabelSpans
from ohlcv_factory.storage.digests import array_digest, value_digest

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class RowLabels:
    """Truth of n eligible rows, arrays of shape `(n,)`."""

    label: np.ndarray
    """int8 class; meaningless where `labelled` is False."""
    labelled: np.ndarray
    scored: np.ndarray
    """bool: labelled and not ambiguous."""
    end_ns: np.ndarray
    """int64: open time of the bar that ended the realised path."""
    scheduled_end_ns: np.ndarray
    """int64: open time of the bar of the vertical barrier, from the dataset's largest max_bars; what purging uses."""
    quality: np.ndarray
    uniqueness: np.ndarray

    def take(self, rows: np.ndarray) -> RowLabels:
        """The same for some rows."""
        return RowLabels(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class TimeSeriesDataContainer:
    """Immutable; rows are the eligible rows of all symbols, one symbol after the other, each in time order."""

    horizon: int
    symbols: tuple[str, ...]
    table: np.ndarray
    """`(N, F)` float32, unscaled: the features of all bars since each symbol's warm-up, one symbol after the other."""
    table_row: np.ndarray
    """`(n,)` int64: where each row stands in the table; the bars before it are its history."""
    feature_names: tuple[str, ...]
    index: np.ndarray
    """`(n,)` of INDEX_DTYPE."""
    labels: RowLabels
    part: np.ndarray
    """`(n,)` int8: 0 train, 1 val, 2 test, -1 in a gap."""
    markets: tuple[SymbolMarket, ...]
    config: DatasetConfig
    fingerprint: str
    data_spec: dict[str, Any]
    """Plain facts that a bundle needs to compute the same features from raw bars."""
    origin: str | None = None
    """The dataset folder that it was read from; None when it was built in memory."""
    symbol: str | None = None
    """The one symbol that was asked for of that folder."""

    @classmethod
    def from_bars(cls, bars: Bars | Sequence[Bars], *, horizon: int, config: DatasetConfig | None = None) -> Self:
        """Build in memory. Raises UsageError (2) or DataError (65) as `build_dataset` does."""
        series = [bars] if isinstance(bars, Bars) else list(bars)
        settings = config or DatasetConfig(horizons=(horizon,))
        return cls.from_built(build_dataset([_in_memory(one) for one in series], settings), horizon)

    @classmethod
    def from_dataset(cls, folder: Path | str, horizon: int, *, symbol: str | None = None) -> Self:
        """Read one horizon of a dataset folder, of all its symbols or of one.

        Raises InputMissingError (66), DataError (65) or UsageError (2).
        """
        from ohlcv_factory.dataset.store import read_dataset

        dataset = read_dataset(Path(folder), symbol=symbol)
        return replace(cls.from_built(dataset, horizon, where=str(folder)), origin=str(folder), symbol=symbol)

    @classmethod
    def from_built(cls, dataset: Dataset, horizon: int, *, where: str = "horizon") -> Self:
        """One horizon of a built dataset; with one symbol the feature matrix is a view."""
        if horizon not in dataset.config.horizons:
            offered = ", ".join(map(str, dataset.config.horizons))
            raise UsageError(f"horizon {horizon} is not in this dataset.", where=where, help=f"it holds: {offered}")
        rows = [dataset.eligible(symbol) for symbol in dataset.symbols]
        table, table_row = _table(dataset, rows)
        return cls(
            horizon=horizon,
            symbols=tuple(symbol.bars.symbol for symbol in dataset.symbols),
            table=table,
            table_row=table_row,
            feature_names=dataset.feature_names,
            index=np.concatenate(
                [_index(code, one.bars, own) for code, (one, own) in enumerate(zip(dataset.symbols, rows, strict=True))]
            ),
            labels=_row_labels(dataset, rows, horizon),
            part=np.concatenate([symbol.part[own] for symbol, own in zip(dataset.symbols, rows, strict=True)]),
            markets=tuple(_market(symbol, horizon, dataset.config.session_end) for symbol in dataset.symbols),
            config=dataset.config,
            fingerprint=dataset.fingerprint,
            data_spec=data_spec(dataset, horizon),
        )

    def __len__(self) -> int:
        return len(self.index)

    @property
    def features(self) -> np.ndarray:
        """`(n, F)` float32, unscaled, finite: a view of the table where the rows lie together in it."""
        first, last = int(self.table_row[0]), int(self.table_row[-1])
        together = last - first + 1 == len(self)
        return self.table[first : last + 1] if together else self.table[self.table_row]

    def rows(self, part: str, *, scored: bool = False) -> np.ndarray:
        """Positions of a part's rows; `scored` keeps labelled rows without ambiguity only."""
        if part not in PART_NAMES:
            raise unknown_name("part", part, PART_NAMES)
        inside = self.part == PART_NAMES.index(part)
        return np.flatnonzero(inside & self.labels.scored if scored else inside)

    def samples(
        self,
        rows: np.ndarray,
        *,
        columns: Sequence[str] | None = None,
        lookback: int | None = None,
        padded: bool = False,
        inputs: Any = None,
        weighting: Weighting = "none",
        balanced: bool = False,
        with_market: bool = False,
    ) -> Samples:
        """Samples of any rows, with the columns asked for, or windows of them. `inputs` stand in for both, made before.

        Weights have mean 1 within each class of these rows.
        """
        names = tuple(columns) if columns is not None else self.feature_names
        labels = self.labels.take(rows)
        weight = training_weights(labels.quality, labels.uniqueness, labels.label, weighting, balanced=balanced)
        return Samples(
            X=self.inputs(rows, names, lookback, padded=padded) if inputs is None else inputs,
            y=labels.label,
            weight=weight,
            index=self.index[rows],
            label_end=labels.end_ns,
            feature_names=names,
            market=self.row_market(rows) if with_market else None,
        )

    def inputs(
        self, rows: np.ndarray, columns: Sequence[str], lookback: int | None = None, *, padded: bool = False
    ) -> Any:
        """What a model reads of some rows, unscaled: a matrix, or windows of `lookback` bars that end at them."""
        if lookback is None:
            return self.matrix(rows, columns)
        return self.padded_windows(rows, columns, lookback) if padded else self.windows(rows, columns, lookback)

    def label_spans(self, rows: np.ndarray, lookback: int = 1) -> LabelSpans:
        """When some rows are, how far their labels are scheduled to look, and from where windows of `lookback` bars read."""
        reads_from = np.empty(len(rows), dtype=np.int64)
        for code, market in enumerate(self.markets):
            own = self.index["symbol_code"][rows] == code
            reads_from[own] = market.bars.time_ns[np.maximum(self.index["row"][rows][own] - (lookback - 1), 0)]
        return LabelSpans.of_times(self.index["time_ns"][rows], self.labels.scheduled_end_ns[rows], reads_from)

    def windows(self, rows: np.ndarray, columns: Sequence[str], lookback: int) -> WindowSource:
        """Windows that end at some rows, over a table of the stretch of bars that they need.

        A window takes its history from the bars before its row, also from before a part's border, never from another
        symbol or from before a roll that is cut. Raises UsageError (2) when it is longer than the history of a row.
        """
        longest = self.config.history_bars + 1
        if lookback > longest:
            raise UsageError(
                f"lookback {lookback} is longer than the {longest} bars that each row of this dataset has.",
                where="lookback",
                help=f"at most {longest}, or build the dataset with a larger history_bars",
            )
        ends = self.table_row[rows]
        first, last = (int(ends.min()) - lookback + 1, int(ends.max()) + 1) if len(ends) else (0, 0)
        table = np.ascontiguousarray(self.table[first:last][:, self._columns(columns)])
        return WindowSource(table, ends - first, lookback)

    @property
    def raw_names(self) -> tuple[str, ...]:
        """The columns of the bars themselves, in the catalogue's order; without volume where a symbol has none."""
        carries_volume = all(market.bars.has_volume for market in self.markets)
        return tuple(feature.name for feature in RAW.features if carries_volume or not feature.needs_volume)

    def padded_windows(self, rows: np.ndarray, columns: Sequence[str], lookback: int) -> WindowSource:
        """Windows of raw columns that end at some rows, of any length: NaN stands for the bars before the first one.

        They read all bars, also those before the warm-up and before the first eligible row, back to the symbol's first
        bar or to a roll that is cut. Values have the bits of the feature columns of the same names, whether or not the
        dataset holds them. Raises UsageError (2) for a column that is not raw.
        """
        self._refuse_computed(columns)
        codes, tables = self.index["symbol_code"][rows], [np.empty((0, len(columns)), np.float32)]
        ends, starts, before = np.empty(len(rows), np.int64), np.empty(len(rows), np.int64), 0
        for code in np.unique(codes).tolist():
            own = codes == code
            windows = self._symbol_windows(self.markets[code], self.index["row"][rows[own]], columns, lookback)
            ends[own], starts[own] = before + windows.ends, before + windows.firsts
            before += len(windows.table)
            tables.append(windows.table)
        return WindowSource.padded(np.concatenate(tables), ends, lookback, starts)

    def _symbol_windows(
        self, market: SymbolMarket, places: np.ndarray, columns: Sequence[str], lookback: int
    ) -> WindowSource:
        """Padded windows that end at some bars of one symbol, over the stretch of bars that they need."""
        bars, rolls = market.bars.head(int(places.max()) + 1), self.config.rolls
        first = int(np.maximum(first_rows(bars, places, rolls), places - lookback + 1).min())
        features = feature_rows(bars, market.instrument, columns, rolls, first)
        return padded_windows(bars, features, places, lookback, rolls)

    def _refuse_computed(self, columns: Sequence[str]) -> None:
        for name in columns:
            if name not in self.raw_names:
                raise UsageError(
                    f"a padded window cannot hold {name!r}: before its look-back a computed column has no value.",
                    where="columns",
                    help=f"raw columns of these bars: {', '.join(self.raw_names)}",
                )

    def matrix(self, rows: np.ndarray, columns: Sequence[str]) -> np.ndarray:
        """`(n, len(columns))` float32 copy of some rows and columns. Raises UnknownNameError (2) for a missing column."""
        chosen, places = self._columns(columns), self.table_row[rows]
        values: np.ndarray = (
            self.table[places] if tuple(columns) == self.feature_names else self.table[np.ix_(places, chosen)]
        )
        return values

    def _columns(self, names: Sequence[str]) -> np.ndarray:
        """Places of some columns in the table. Raises UnknownNameError (2) for a missing one."""
        positions = {name: position for position, name in enumerate(self.feature_names)}
        for name in names:
            if name not in positions:
                raise unknown_name("feature", name, self.feature_names)
        return np.array([positions[name] for name in names], dtype=np.int64)

    def get_sklearn_arrays(
        self, split: str, *, weighting: Weighting = "both"
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """X `(n, F)`, y `(n,)` and weights `(n,)` of a part's scored rows."""
        samples = self.samples(self.rows(split, scored=True), weighting=weighting)
        return samples.X, samples.y, samples.weight

    def get_pytorch_sequences(
        self, split: str, seq_len: int, stride: int = 1, symbol_isolated: bool = True, *, weighting: Weighting = "both"
    ) -> tuple[WindowSource, np.ndarray, np.ndarray]:
        """X `(n, seq_len, F)` as a view, y `(n,)` and weights `(n,)` of every `stride`-th scored row of a part.

        `X[:]` is the array, `X.torch()` a torch Dataset. Raises UsageError (2) for a stride below 1, or when symbols are
        not to be kept apart: a window over two symbols is no series.
        """
        if stride < 1 or not symbol_isolated:
            raise UsageError(
                f"stride {stride}, symbol_isolated {symbol_isolated}: windows hold bars of one symbol, stride is 1 or more.",
                help="stride=1, symbol_isolated=True",
            )
        rows = self.rows(split, scored=True)[::stride]
        samples = self.samples(rows, lookback=seq_len, weighting=weighting)
        return samples.X, samples.y, samples.weight

    def get_neuralforecast_df(self, split: str) -> pd.DataFrame:
        """pandas frame of a part with unique_id, ds (UTC), y (close) and one column per feature."""
        import pandas as pd

        rows = self.rows(split)
        frame = pd.DataFrame(self.matrix(rows, self.feature_names), columns=list(self.feature_names))
        frame.insert(0, "unique_id", np.array(self.symbols)[self.index["symbol_code"][rows]])
        frame.insert(1, "ds", pd.to_datetime(self.index["time_ns"][rows], utc=True))
        frame.insert(2, "y", self.close(rows))
        return frame

    def close(self, rows: np.ndarray) -> np.ndarray:
        """Close of each row's bar, `(n,)` float64."""
        values = np.empty(len(rows))
        for code, market in enumerate(self.markets):
            own = self.index["symbol_code"][rows] == code
            values[own] = market.bars.close[self.index["row"][rows][own]]
        return values

    def with_split(self, part: np.ndarray) -> Self:
        """The same rows with other parts: `(n,)` codes 0 train, 1 val, 2 test, -1 none. This is how a fold is made."""
        code = np.asarray(part, dtype=np.int8)
        if code.shape != self.part.shape or not np.isin(code, (NO_PART, 0, 1, 2)).all():
            raise DataError(f"parts must be {len(self)} codes of -1, 0, 1, 2.", help="one code per eligible row")
        return replace(self, part=code)

    def row_digest(self) -> str:
        """Digest of the eligible rows per symbol and part: runs with equal digests are comparable."""
        rows = array_digest(self.index["symbol_code"], self.index["time_ns"], self.part)
        return value_digest({"symbols": list(self.symbols), "rows": rows})

    def describe(self) -> dict[str, Any]:
        """Rows and class counts per part, span and columns: JSON-ready."""
        return {
            "horizon": self.horizon,
            "symbols": list(self.symbols),
            "features": len(self.feature_names),
            "eligible_rows": len(self),
            "parts": {name: self._describe_part(name) for name in PART_NAMES},
            "fingerprint": self.fingerprint,
        }

    def _describe_part(self, part: str) -> dict[str, Any]:
        rows, scored = self.rows(part), self.rows(part, scored=True)
        counts = np.bincount(self.labels.label[scored], minlength=CLASS_COUNT)
        return {
            "rows": len(rows),
            "labelled": int(self.labels.labelled[rows].sum()),
            "scored": len(scored),
            "classes": dict(zip(CLASS_NAMES, counts.tolist(), strict=True)),
        }

    def row_market(self, rows: np.ndarray) -> RowMarket:
        """What a model may know of the label rules of some rows: all known at their close."""
        codes, parts = self.index["symbol_code"][rows], []
        for code, market in enumerate(self.markets):
            places = self.index["row"][rows[codes == code]]
            parts.append(row_market(market.bars, market.atr, market.rule, places))
        by_symbol = np.argsort(codes, kind="stable")
        return RowMarket.joined(parts).take(np.argsort(by_symbol, kind="stable"))


def data_spec(dataset: Dataset, horizon: int) -> dict[str, Any]:
    """What a bundle needs to compute the same rows from raw bars, and to know the label rule of each."""
    return {
        "bar_seconds": dataset.bar_seconds,
        "warm_up_bars": dataset.warm_up_bars,
        "history_bars": dataset.config.history_bars,
        "rolls": dataset.config.rolls.plain(),
        "read": dataset.config.read.plain(),
        "instruments": [symbol.instrument.plain() for symbol in dataset.symbols],
        "labels": dataset.config.label_settings(horizon),
        "fingerprint": dataset.fingerprint,
        "plugins": [record.plain() for record in dataset.plugins],
    }


def _in_memory(bars: Bars) -> BarFile:
    digest = array_digest(bars.time_ns, bars.open, bars.high, bars.low, bars.close, bars.volume)
    first, last = time_text(bars.time_ns[0]), time_text(bars.time_ns[-1])
    return BarFile(bars, ReadAccount("memory", digest, len(bars), first, last, (), ()))


def _table(dataset: Dataset, rows: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Features of all symbols since the warm-up, and where the eligible rows stand in them; one symbol's are a view."""
    start = dataset.warm_up_bars
    features = [symbol.features[start:] for symbol in dataset.symbols]
    before = np.cumsum([0, *(len(own) for own in features)])[:-1]
    places = [own - start + shift for own, shift in zip(rows, before, strict=True)]
    return features[0] if len(features) == 1 else np.concatenate(features), np.concatenate(places)


def _index(code: int, bars: Bars, rows: np.ndarray) -> np.ndarray:
    index = np.empty(len(rows), dtype=INDEX_DTYPE)
    index["symbol_code"], index["time_ns"], index["row"] = code, bars.time_ns[rows], rows
    return index


def _market(symbol: SymbolData, horizon: int, session_end: bool) -> SymbolMarket:
    session_day = symbol.instrument.sessions.session_day(symbol.bars.time_ns)
    rule = symbol.labels[horizon].rule
    return SymbolMarket(
        symbol.bars, symbol.atr, rule, symbol.instrument, session_day, symbol.source, session_end=session_end
    )


def _row_labels(dataset: Dataset, rows: Sequence[np.ndarray], horizon: int) -> RowLabels:
    per_symbol = []
    for symbol, own in zip(dataset.symbols, rows, strict=True):
        table = symbol.labels[horizon]
        longest = max(labels.rule.max_bars for labels in symbol.labels.values())
        columns = (
            table.path.label,
            table.path.labelled,
            table.path.labelled & ~table.path.ambiguous,
            symbol.bars.time_ns[table.path.end_row],
            scheduled_end_ns(symbol.bars, longest),
            table.quality.total,
            table.uniqueness,
        )
        per_symbol.append([values[own] for values in columns])
    return RowLabels(*(np.concatenate(column) for column in zip(*per_symbol, strict=True)))
