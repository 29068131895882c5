"""A dataset continued by newer bars: what was decided stays, only the new rows' features are computed.

Parts keep their dates, columns their names and places, so the test part grows and nothing moves between parts. The
result has the bytes of a build from all bars with the same pins.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ohlcv_factory import __version__
from ohlcv_factory.bars.account import BarFile, ReadAccount
from ohlcv_factory.bars.schema import COLUMNS, Bars
from ohlcv_factory.bars.sizes import size_text
from ohlcv_factory.dataset.build import Dataset, build_dataset
from ohlcv_factory.errors import DataError, UsageError, unknown_name
from ohlcv_factory.features import catalogue
from ohlcv_factory.features.plugins import require
from ohlcv_factory.runtime.clock import time_text


def update_dataset(
    dataset: Dataset, files: Sequence[BarFile], manifest: dict[str, Any], *, resplit: bool = False
) -> Dataset:
    """The dataset with the newer bars of `files`, each the whole history again or its continuation.

    `manifest` is that of the stored dataset. With `resplit` it is built anew: parts, columns and instruments are found
    again. Raises UsageError (2) when another version of the factory built it, a plugin that it needs is not loaded, or a
    symbol is not in it; DataError (65) when the bars at hand differ from those that it was built from.
    """
    if not resplit:
        _refuse_other_version(manifest)
    require(dataset.plugins)
    known = {symbol.bars.symbol: symbol for symbol in dataset.symbols}
    for file in files:
        if file.bars.symbol not in known:
            raise unknown_name("symbol of the dataset", file.bars.symbol, known)
    newer = {file.bars.symbol: file for file in files}
    accounts = {account["symbol"]: account for account in dataset.accounts}
    continued = [_continued(symbol.given, accounts[name], newer.get(name)) for name, symbol in known.items()]
    if all(len(file.bars) == len(symbol.given) for file, symbol in zip(continued, dataset.symbols, strict=True)):
        raise DataError("no bar is newer than the dataset's last one.", help="name files with newer bars")
    if resplit:
        return build_dataset(continued, dataset.config)
    features = {name: symbol.features for name, symbol in known.items()}
    return build_dataset(continued, dataset.config, pins=dataset.pins, known_features=features)


def _refuse_other_version(manifest: dict[str, Any]) -> None:
    """Rows of two versions of the catalogue would not be one column."""
    made, here = manifest["created_by"].rpartition(" ")[2], __version__
    if (made, manifest["feature_catalogue"]) != (here, catalogue.VERSION):
        raise UsageError(
            f"the dataset was built by version {made}, catalogue {manifest['feature_catalogue']}; this is {here}, "
            f"catalogue {catalogue.VERSION}.",
            help="data update --resplit builds it anew",
        )


def _continued(source: Bars, account: dict[str, Any], file: BarFile | None) -> BarFile:
    """All bars of one symbol: those of the dataset, then those of the file that are newer."""
    past = ReadAccount.from_plain({name: value for name, value in account.items() if name != "symbol"})
    if file is None:
        return BarFile(source, past)
    shared = _shared_rows(source, file.bars)
    if shared == len(source):
        return file
    bars = source.followed_by(file.bars.slice(shared, len(file.bars)))
    return BarFile(bars, past.followed_by(file.account))


def _shared_rows(source: Bars, newer: Bars) -> int:
    """How many of the first rows of `newer` are the dataset's last ones. Raises DataError (65) where they differ."""
    if newer.bar_seconds != source.bar_seconds:
        raise DataError(
            f"{source.symbol}: the dataset was built from {size_text(source.bar_seconds)} bars, "
            f"these are {size_text(newer.bar_seconds)} bars.",
            help="give bars of the same size",
        )
    start = int(np.searchsorted(source.time_ns, newer.time_ns[0]))
    past, now = source.slice(start, len(source)), newer.head(min(len(newer), len(source) - start))
    if len(now) < len(past):
        raise DataError(
            f"{source.symbol}: the bars end {time_text(newer.time_ns[-1])}, before the dataset's last bar "
            f"({time_text(source.time_ns[-1])}).",
            help="name files that reach beyond it",
        )
    _refuse_changed_history(past, now)
    return len(past)


def _refuse_changed_history(past: Bars, now: Bars) -> None:
    names = ("time_ns", *COLUMNS)
    differs = np.array([getattr(past, name) != getattr(now, name) for name in names])
    if differs.any():
        first = int(np.argmax(differs.any(axis=0)))
        name = names[int(np.argmax(differs[:, first]))]
        then, here = getattr(past, name)[first], getattr(now, name)[first]
        raise DataError(
            f"{past.symbol}: {int(differs.any(axis=0).sum())} bars differ from those that the dataset was built from, the "
            f"first at {time_text(past.time_ns[first])}: {name} was {then}, is {here}.",
            where=past.symbol,
            help="history was rewritten: build another dataset, data build",
        )
