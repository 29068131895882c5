"""Bars to a dataset: features of every bar, labels of every horizon, eligible rows and their parts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ohlcv_factory import __version__
from ohlcv_factory.bars.instruments import BarrierRule, Instrument
from ohlcv_factory.bars.load import BarFile
from ohlcv_factory.bars.resample import resample
from ohlcv_factory.bars.schema import NANOSECONDS, Bars
from ohlcv_factory.bars.sizes import bar_seconds
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.errors import DataError, UsageError, unknown_name
from ohlcv_factory.features import catalogue
from ohlcv_factory.features.plugins import PluginRecord, load_plugins, records
from ohlcv_factory.labels.triple_barrier import BarrierLabels, barrier_atr, triple_barrier
from ohlcv_factory.labels.weights import Quality, average_uniqueness, label_quality
from ohlcv_factory.runtime.progress import track
from ohlcv_factory.splits.chronological import MIN_SCORED_ROWS, Parts, chronological_parts, refuse_small_parts
from ohlcv_factory.storage.digests import array_digest, value_digest


@dataclass(frozen=True)
class HorizonLabels:
    """Labels of every bar of one symbol at one horizon, with their weights' components."""

    rule: BarrierRule
    barrier: BarrierLabels
    quality: Quality
    uniqueness: np.ndarray
    """`(n,)` float64."""


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
    accounts: tuple[dict[str, Any], ...]
    """How each source was read: assumptions and digest."""
    fingerprint: str
    """Digest of bars, settings and feature names: equal data, equal fingerprint."""
    plugins: tuple[PluginRecord, ...] = ()
    """Who declared the columns that are not built in."""

    @property
    def first_eligible(self) -> int:
        """The first row of each symbol that models may use."""
        return self.warm_up_bars + self.config.history_bars

    @property
    def bar_seconds(self) -> int:
        """Length of one bar."""
        return self.symbols[0].bars.bar_seconds


def build_dataset(files: Sequence[BarFile], config: DatasetConfig) -> Dataset:
    """Build every part of a dataset from bars, one file per symbol.

    Raises UsageError (2) for settings that contradict, DataError (65) for bars that cannot carry them.
    """
    load_plugins(config.plugins)
    series = tuple(_sized(file.bars, config) for file in files)
    _refuse_mixture(series)
    instruments = tuple(config.instrument(bars.symbol) for bars in series)
    names, left_out = _columns(series, instruments, config)
    warm_up = catalogue.warm_up(names, series[0].bar_seconds)
    first = warm_up + config.history_bars
    for bars in series:
        _refuse_short(bars, warm_up, config)
    labels = [_label_all(bars, instrument, config) for bars, instrument in zip(series, instruments, strict=True)]
    parts = _parts(series, labels, first, config)
    tables = track(zip(series, instruments, labels, _split_codes(parts, series, first), strict=True), "features")
    symbols = tuple(_symbol(*table, names) for table in tables)
    return Dataset(
        config=config,
        symbols=symbols,
        feature_names=names,
        left_out=left_out,
        warm_up_bars=warm_up,
        borders_ns=parts.borders_ns,
        embargo_ns=parts.embargo_ns,
        warnings=(
            *parts.warnings,
            *(note for file in files for note in file.account.warnings),
            *_generic_notes(instruments),
        ),
        accounts=tuple({"symbol": file.bars.symbol, **file.account.plain()} for file in files),
        fingerprint=_fingerprint(series, instruments, config, names),
        plugins=records(names),
    )


def _sized(bars: Bars, config: DatasetConfig) -> Bars:
    return resample(bars, bar_seconds(config.bar_size)) if config.bar_size else bars


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


def _refuse_short(bars: Bars, warm_up: int, config: DatasetConfig) -> None:
    """Raise DataError (65) with the arithmetic when the smallest part cannot hold its rows even without any gap."""
    reach = max(config.rule(config.instrument(bars.symbol), horizon).max_bars for horizon in config.horizons)
    test = 1 - config.parts.train - config.parts.val
    smallest = min(share for share in (config.parts.train, config.parts.val, test) if share > 1e-12)
    rows = math.ceil(MIN_SCORED_ROWS / smallest)
    needed = warm_up + config.history_bars + reach + rows
    if len(bars) < needed:
        raise DataError(
            f"{bars.symbol}: have {len(bars)} bars, need at least {needed} = {warm_up} warm-up + {config.history_bars} "
            f"history + {reach} to the vertical barrier + {rows} so that the smallest part ({smallest:.0%}) holds "
            f"{MIN_SCORED_ROWS} scored rows.",
            where=bars.symbol,
            help="give more bars, smaller horizons, or lower history_bars",
        )


def _label_all(bars: Bars, instrument: Instrument, config: DatasetConfig) -> dict[int, HorizonLabels]:
    atr = barrier_atr(bars)
    return {horizon: _label(bars, atr, config.rule(instrument, horizon), config) for horizon in config.horizons}


def _label(bars: Bars, atr: np.ndarray, rule: BarrierRule, config: DatasetConfig) -> HorizonLabels:
    barrier = triple_barrier(bars, atr, rule, config.entry)
    return HorizonLabels(
        rule, barrier, label_quality(barrier, rule.max_bars), average_uniqueness(barrier, barrier.labelled)
    )


def _parts(
    series: tuple[Bars, ...], labels: list[dict[int, HorizonLabels]], first: int, config: DatasetConfig
) -> Parts:
    """The parts of all eligible rows, symbols one after the other."""
    longest = [max(table.rule.max_bars for table in by_horizon.values()) for by_horizon in labels]
    ends = [scheduled_end_ns(bars, max_bars)[first:] for bars, max_bars in zip(series, longest, strict=True)]
    parts = chronological_parts(
        np.concatenate([bars.time_ns[first:] for bars in series]),
        np.concatenate(ends),
        config.parts,
        config.embargo_days,
    )
    for horizon in config.horizons:
        scored = [
            by_horizon[horizon].barrier.labelled & ~by_horizon[horizon].barrier.ambiguous for by_horizon in labels
        ]
        refuse_small_parts(parts, np.concatenate([flags[first:] for flags in scored]), horizon)
    return parts


def scheduled_end_ns(bars: Bars, max_bars: int) -> np.ndarray:
    """Open time of the bar at which each row's vertical barrier stands, `(n,)` int64; beyond the data it is extrapolated."""
    rows = np.arange(len(bars)) + max_bars
    beyond = np.maximum(rows - (len(bars) - 1), 0)
    ends: np.ndarray = bars.time_ns[np.minimum(rows, len(bars) - 1)] + beyond * bars.bar_seconds * NANOSECONDS
    return ends


def _split_codes(parts: Parts, series: tuple[Bars, ...], first: int) -> list[np.ndarray]:
    """Part codes per symbol over all its bars."""
    counts = np.cumsum([len(bars) - first for bars in series])[:-1]
    ineligible = np.full(first, -1, dtype=np.int8)
    return [np.concatenate((ineligible, codes)) for codes in np.split(parts.code, counts)]


def _symbol(
    bars: Bars, instrument: Instrument, labels: dict[int, HorizonLabels], part: np.ndarray, names: tuple[str, ...]
) -> SymbolData:
    features = catalogue.compute(bars, instrument.sessions, names)
    return SymbolData(bars, instrument, features, barrier_atr(bars), part, labels)


def _generic_notes(instruments: tuple[Instrument, ...]) -> list[str]:
    return [
        f"{instrument.symbol} is not in the instrument table: generic costs of {instrument.fee_bps:g} basis points per side, "
        f"calendar {instrument.calendar}"
        for instrument in instruments
        if instrument.is_generic
    ]


def _fingerprint(
    series: tuple[Bars, ...], instruments: tuple[Instrument, ...], config: DatasetConfig, names: tuple[str, ...]
) -> str:
    """Digest of what decides the arrays: how a file was read does not, the bars that came out of it do."""
    bars = {one.symbol: array_digest(one.time_ns, one.open, one.high, one.low, one.close, one.volume) for one in series}
    effective = {key: value for key, value in config.plain().items() if key not in ("read", "instruments", "plugins")}
    table = [instrument.plain() for instrument in instruments]
    facts = {"bars": bars, "instruments": table, "config": effective, "features": list(names), "version": __version__}
    code = [record.sha256 for record in records(names)]
    return value_digest({**facts, "plugins": code} if code else facts)
