"""Bars to a dataset: features of every bar, labels of every horizon, eligible rows and their parts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ohlcv_factory import __version__
from ohlcv_factory.bars.instruments import Instrument
from ohlcv_factory.bars.load import BarFile
from ohlcv_factory.bars.rolls import Rolls, apply_rolls, looks_back_adjusted
from ohlcv_factory.bars.schema import NANOSECONDS, Bars
from ohlcv_factory.dataset.labelling import HorizonLabels, label_symbol
from ohlcv_factory.dataset.rolled import eligible_rows, feature_rows, sized_bars
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.errors import DataError, UsageError, unknown_name
from ohlcv_factory.features import catalogue
from ohlcv_factory.features.plugins import PluginRecord, records
from ohlcv_factory.labels.triple_barrier import barrier_atr
from ohlcv_factory.runtime.plugin_files import load_plugins
from ohlcv_factory.runtime.progress import track
from ohlcv_factory.splits.chronological import (
    MIN_SCORED_ROWS,
    NO_PART,
    Parts,
    chronological_parts,
    parts_at,
    refuse_small_parts,
)
from ohlcv_factory.storage.digests import array_digest, value_digest


@dataclass(frozen=True)
class SymbolData:
    """One symbol of a dataset; arrays run over all its bars, eligible or not."""

    bars: Bars
    instrument: Instrument
    features: np.ndarray
    """`(n, F)` float32; NaN inside the warm-up."""
    atr: np.ndarray
    part: np.ndarray
    """`(n,)` int8: 0 train, 1 val, 2 test, -1 not eligible or in a gap."""
    labels: dict[int, HorizonLabels]
    source: Bars | None = None
    """The finer bars that `bars` were made of; None where they are as they came."""

    @property
    def given(self) -> Bars:
        """The bars that the dataset was built from."""
        return self.bars if self.source is None else self.source


@dataclass(frozen=True)
class Pins:
    """What an update keeps of the dataset that it continues: everything that was decided by looking at all bars."""

    feature_names: tuple[str, ...]
    left_out: dict[str, str]
    warm_up_bars: int
    borders_ns: tuple[int, ...]
    """First moment of val, and of test where there is one."""
    embargo_ns: tuple[int, ...]
    """Embargo before each border."""
    instruments: tuple[Instrument, ...]


@dataclass(frozen=True)
class Dataset:
    """All horizons of one or more symbols, with everything that decided them."""

    config: DatasetConfig
    symbols: tuple[SymbolData, ...]
    feature_names: tuple[str, ...]
    left_out: dict[str, str]
    """Columns of the catalogue that these bars cannot carry, and why."""
    warm_up_bars: int
    borders_ns: tuple[int, ...]
    embargo_ns: tuple[int, ...]
    warnings: tuple[str, ...]
    """Of the build; those of reading stand in the accounts."""
    accounts: tuple[dict[str, Any], ...]
    """How each source was read: assumptions, warnings and digest."""
    fingerprint: str
    """Digest of bars, settings and feature names: equal data, equal fingerprint."""
    plugins: tuple[PluginRecord, ...] = ()
    """Who declared the columns that are not built in."""

    @property
    def pins(self) -> Pins:
        """What an update of this dataset keeps."""
        return Pins(
            self.feature_names,
            self.left_out,
            self.warm_up_bars,
            self.borders_ns,
            self.embargo_ns,
            tuple(symbol.instrument for symbol in self.symbols),
        )

    def only(self, symbol: str) -> Dataset:
        """The same of one symbol: the dates of its parts stay those of all; it has a fingerprint of its own.

        Raises UnknownNameError (2), or DataError (65) with the arithmetic where a part of it is too small.
        """
        names = [one.bars.symbol for one in self.symbols]
        if symbol not in names:
            raise unknown_name("symbol", symbol, names)
        return self if len(names) == 1 else narrowed(self, self.symbols[names.index(symbol)])

    @property
    def first_eligible(self) -> int:
        """Bars that lie before the first row that models may use: since the start, or since a roll that is cut."""
        return self.warm_up_bars + self.config.history_bars

    def eligible(self, symbol: SymbolData) -> np.ndarray:
        """Rows of a symbol's bars that models may use, int64."""
        return eligible_rows(symbol.bars, self.first_eligible, self.config.rolls)

    @property
    def bar_seconds(self) -> int:
        """Length of one bar."""
        return self.symbols[0].bars.bar_seconds


def build_dataset(
    files: Sequence[BarFile],
    config: DatasetConfig,
    *,
    pins: Pins | None = None,
    known_features: Mapping[str, np.ndarray] | None = None,
) -> Dataset:
    """Build every part of a dataset from bars, one file per symbol.

    With `pins` columns, borders and instruments are given, not found. `known_features` holds, by symbol, the float32
    `(m, F)` rows of these columns that were computed before from the same first m bars; only later rows are computed.
    Raises UsageError (2) for settings that contradict, DataError (65) for bars that cannot carry them.
    """
    load_plugins(config.plugins)
    instruments = pins.instruments if pins else tuple(config.instrument(file.bars.symbol) for file in files)
    given, roll_notes = _with_rolls(files, instruments, config)
    series = tuple(sized_bars(bars, config.bar_size, each) for bars, each in zip(given, instruments, strict=True))
    sources = tuple(_source(*each) for each in zip(given, series, strict=True))
    _refuse_mixture(series)
    names, left_out = (pins.feature_names, pins.left_out) if pins else _columns(series, instruments, config)
    warm_up = pins.warm_up_bars if pins else catalogue.warm_up(names, series[0].bar_seconds)
    rows = _eligible(series, warm_up, config)
    labels = [label_symbol(*each, config) for each in zip(series, sources, instruments, strict=True)]
    parts = _parts(series, labels, rows, config, pins)
    known, codes = known_features or {}, _split_codes(parts, series, rows)
    tables = track(zip(series, sources, instruments, labels, codes, strict=True), "features")
    symbols = tuple(_symbol(*table, names, config.rolls, known.get(table[0].symbol)) for table in tables)
    return Dataset(
        config=config,
        symbols=symbols,
        feature_names=names,
        left_out=left_out,
        warm_up_bars=warm_up,
        borders_ns=parts.borders_ns,
        embargo_ns=parts.embargo_ns,
        warnings=(*parts.warnings, *roll_notes, *_generic_notes(instruments)),
        accounts=tuple({"symbol": file.bars.symbol, **file.account.plain()} for file in files),
        fingerprint=_fingerprint((series, sources), instruments, config, names, parts),
        plugins=records(names),
    )


def narrowed(dataset: Dataset, chosen: SymbolData) -> Dataset:
    """A dataset of several symbols with one of them alone. Raises DataError (65) where a part of it is too small."""
    symbol, rows = chosen.bars.symbol, dataset.eligible(chosen)
    parts = Parts(chosen.part[rows], dataset.borders_ns, dataset.embargo_ns, ())
    for horizon, labels in chosen.labels.items():
        refuse_small_parts(parts, (labels.path.labelled & ~labels.path.ambiguous)[rows], horizon)
    return replace(
        dataset,
        symbols=(chosen,),
        accounts=tuple(account for account in dataset.accounts if account["symbol"] == symbol),
        fingerprint=symbol_fingerprint(dataset.fingerprint, symbol),
    )


def _with_rolls(
    files: Sequence[BarFile], instruments: tuple[Instrument, ...], config: DatasetConfig
) -> tuple[tuple[Bars, ...], list[str]]:
    """The bars with the rolls that a column names or the settings confirm, and what is to be said about them."""
    if config.rolls.at and len(files) > 1:
        raise UsageError(
            f"rolls.at names times of one series, {len(files)} symbols were given.",
            where="rolls.at",
            help="name contracts by a column (--map contract=NAME), or build one symbol",
        )
    rolled, notes = [], []
    for file, instrument in zip(files, instruments, strict=True):
        bars, said = apply_rolls(file.bars, config.rolls, instrument.sessions)
        suspicion = looks_back_adjusted(file.bars, instrument.tick_size)
        rolled.append(bars)
        notes += [*said, *([f"{bars.symbol}: {suspicion}"] if suspicion else [])]
    return tuple(rolled), notes


def _source(given: Bars, bars: Bars) -> Bars | None:
    """The bars that were given, where those of the dataset are longer ones made of them."""
    return given if given.bar_seconds < bars.bar_seconds else None


def _refuse_mixture(series: tuple[Bars, ...]) -> None:
    if not series:
        raise UsageError("no bars were given.", help="name at least one file")
    names = [bars.symbol for bars in series]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise UsageError(f"symbol {twice!r} comes from two files.", help="one file per symbol, or --symbol")
    sizes = sorted({bars.bar_seconds for bars in series})
    if len(sizes) > 1:
        raise DataError(f"bars of different sizes: {sizes} seconds.", help="resample all to one: --bar-size")


def _columns(
    series: tuple[Bars, ...], instruments: tuple[Instrument, ...], config: DatasetConfig
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Columns that every symbol can carry, in the catalogue's order, and those left out with the reason."""
    left_out: dict[str, str] = {}
    for bars, instrument in zip(series, instruments, strict=True):
        found = catalogue.available(bars, instrument.sessions, config.timeframes)
        left_out |= {name: f"{bars.symbol}: {reason}" for name, reason in found.left_out.items()}
    offered = [feature.name for feature in catalogue.catalogue()]
    wanted = config.features or tuple(offered)
    for name in wanted:
        if name not in offered:
            raise unknown_name("feature", name, offered, see="ohlcv-factory features list")
    names = tuple(name for name in offered if name in wanted and name not in left_out)
    if not names:
        raise UsageError(
            "no feature is left that these bars can carry.", help="; ".join(f"{k}: {v}" for k, v in left_out.items())
        )
    return names, {name: reason for name, reason in left_out.items() if name in wanted}


def _eligible(series: tuple[Bars, ...], warm_up: int, config: DatasetConfig) -> tuple[np.ndarray, ...]:
    """The rows of each symbol that models may use. Raises DataError (65) where they are too few."""
    rows = tuple(eligible_rows(bars, warm_up + config.history_bars, config.rolls) for bars in series)
    for bars, eligible in zip(series, rows, strict=True):
        _refuse_short(bars, eligible, warm_up, config)
    return rows


def _refuse_short(bars: Bars, eligible: np.ndarray, warm_up: int, config: DatasetConfig) -> None:
    """Raise DataError (65) with the arithmetic when the smallest part cannot hold its rows even without any gap."""
    reach = max(config.rule(config.instrument(bars.symbol), horizon).max_bars for horizon in config.horizons)
    test = 1 - config.parts.train - config.parts.val
    smallest = min(share for share in (config.parts.train, config.parts.val, test) if share > 1e-12)
    rows = math.ceil(MIN_SCORED_ROWS / smallest)
    needed = warm_up + config.history_bars + reach + rows
    if len(eligible) < reach + rows:
        cut = ", from each of the cut rolls on" if len(bars.roll_rows) and config.rolls.handling == "cut" else ""
        raise DataError(
            f"{bars.symbol}: have {len(bars)} bars, need at least {needed} = {warm_up} warm-up + {config.history_bars} "
            f"history{cut} + {reach} to the vertical barrier + {rows} so that the smallest part ({smallest:.0%}) holds "
            f"{MIN_SCORED_ROWS} scored rows.",
            where=bars.symbol,
            help="give more bars, smaller horizons, or lower history_bars",
        )


def _parts(
    series: tuple[Bars, ...],
    labels: list[dict[int, HorizonLabels]],
    rows: tuple[np.ndarray, ...],
    config: DatasetConfig,
    pins: Pins | None,
) -> Parts:
    """The parts of all eligible rows, symbols one after the other."""
    longest = [max(table.rule.max_bars for table in by_horizon.values()) for by_horizon in labels]
    ends = np.concatenate(
        [scheduled_end_ns(bars, reach)[own] for bars, reach, own in zip(series, longest, rows, strict=True)]
    )
    times = np.concatenate([bars.time_ns[own] for bars, own in zip(series, rows, strict=True)])
    if pins:
        parts = parts_at(times, ends, pins.borders_ns, pins.embargo_ns)
    else:
        parts = chronological_parts(times, ends, config.parts, config.embargo_days)
    for horizon in config.horizons:
        scored = [by_horizon[horizon].path.labelled & ~by_horizon[horizon].path.ambiguous for by_horizon in labels]
        eligible = [flags[own] for flags, own in zip(scored, rows, strict=True)]
        refuse_small_parts(parts, np.concatenate(eligible), horizon)
    return parts


def scheduled_end_ns(bars: Bars, max_bars: int) -> np.ndarray:
    """Open time of the bar at which each row's vertical barrier stands, `(n,)` int64; beyond the data it is extrapolated."""
    rows = np.arange(len(bars)) + max_bars
    beyond = np.maximum(rows - (len(bars) - 1), 0)
    ends: np.ndarray = bars.time_ns[np.minimum(rows, len(bars) - 1)] + beyond * bars.bar_seconds * NANOSECONDS
    return ends


def _split_codes(parts: Parts, series: tuple[Bars, ...], rows: tuple[np.ndarray, ...]) -> list[np.ndarray]:
    """Part codes per symbol over all its bars; -1 where a row is not eligible."""
    borders = np.cumsum([len(own) for own in rows])[:-1]
    codes = [np.full(len(bars), NO_PART, dtype=np.int8) for bars in series]
    for code, own, eligible in zip(codes, rows, np.split(parts.code, borders), strict=True):
        code[own] = eligible
    return codes


def _symbol(
    bars: Bars,
    source: Bars | None,
    instrument: Instrument,
    labels: dict[int, HorizonLabels],
    part: np.ndarray,
    names: tuple[str, ...],
    rolls: Rolls,
    known: np.ndarray | None,
) -> SymbolData:
    features = feature_rows(bars, instrument, names, rolls, 0 if known is None else len(known))
    if known is not None:
        features = np.concatenate((known, features))
    return SymbolData(bars, instrument, features, barrier_atr(bars), part, labels, source)


def _generic_notes(instruments: tuple[Instrument, ...]) -> list[str]:
    return [
        f"{instrument.symbol} is not in the instrument table: generic costs of {instrument.fee_bps:g} basis points per side, "
        f"calendar {instrument.calendar}"
        for instrument in instruments
        if instrument.is_generic
    ]


def symbol_fingerprint(fingerprint: str, symbol: str | None) -> str:
    """That of one symbol of a dataset; the dataset's own where no symbol was chosen."""
    return fingerprint if symbol is None else value_digest({"dataset": fingerprint, "symbol": symbol})


def _fingerprint(
    bars_and_sources: tuple[tuple[Bars, ...], tuple[Bars | None, ...]],
    instruments: tuple[Instrument, ...],
    config: DatasetConfig,
    names: tuple[str, ...],
    parts: Parts,
) -> str:
    """Digest of what decides the arrays: how a file was read does not, the bars that came out of it do."""
    series, sources = bars_and_sources
    bars = {one.symbol: _bars_digest(one) for one in series}
    finer = {one.symbol: _bars_digest(one) for one in sources if one is not None}
    effective = {key: value for key, value in config.plain().items() if key not in ("read", "instruments", "plugins")}
    table = [instrument.plain() for instrument in instruments]
    borders = {"borders": list(parts.borders_ns), "embargo": list(parts.embargo_ns)}
    facts = {
        "bars": bars,
        "finer": finer,
        "instruments": table,
        "config": effective,
        "features": list(names),
        "parts": borders,
    }
    code = [record.sha256 for record in records(names)]
    return value_digest({**facts, "version": __version__, **({"plugins": code} if code else {})})


def _bars_digest(bars: Bars) -> str:
    contract = [] if bars.contract is None else [bars.contract]
    return array_digest(bars.time_ns, bars.open, bars.high, bars.low, bars.close, bars.volume, *contract)
