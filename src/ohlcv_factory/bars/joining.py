"""The rows of one symbol out of one or several files, as one checked series with its account."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from ohlcv_factory.bars.account import BarFile, ReadAccount, SourceFile
from ohlcv_factory.bars.checks import check_part, check_series, common_step
from ohlcv_factory.bars.cleaning import clean, flat_weekend
from ohlcv_factory.bars.options import ReadOptions
from ohlcv_factory.bars.parts import Part
from ohlcv_factory.bars.placed import Placed, placed_together
from ohlcv_factory.bars.schema import COLUMNS, NANOSECONDS, Bars
from ohlcv_factory.bars.sizes import bar_seconds, size_text
from ohlcv_factory.bars.symbols import contract_codes
from ohlcv_factory.bars.table import SHOWN
from ohlcv_factory.errors import DataError
from ohlcv_factory.runtime.clock import time_text
from ohlcv_factory.storage.digests import array_digest, value_digest

FILLED_SHARE = 0.01
"""Share of bars from which on flat bars on weekends are said."""
ENOUGH_STEPS = 20
"""From this many rows on a file's most common step is its bar size."""


@dataclass(frozen=True)
class Notes:
    """What the account says, as it comes."""

    warnings: list[str]
    cleaned: dict[str, int]


def joined(parts: Sequence[Part], options: ReadOptions, now: datetime, left_out: tuple[str, ...]) -> BarFile:
    """One series out of all files of a symbol: each file checked by itself, overlaps compared, the whole judged.

    Raises DataError (65) with file and row of what breaks a rule.
    """
    seconds, size_note = _bar_seconds(parts, options)
    names = _contract_names(parts)
    notes = Notes([], {})
    checked = [_checked(_placed(part, seconds, names), part, options, notes) for part in parts]
    whole, overlaps = _without_overlaps(placed_together(checked))
    placed, warnings = check_series(whole, now=now, max_jump=options.max_jump)
    warnings += _filled_weekends(placed.bars)
    bars = _with_contracts_in_order(placed.bars)
    account = ReadAccount(
        source=_source_name(parts),
        sha256=_digest(parts),
        rows=sum(part.source_rows for part in parts),
        first=time_text(bars.time_ns[0]),
        last=time_text(bars.time_ns[-1]),
        assumed=(*_assumed(parts), size_note, *_order_notes(parts), *_columns_last(parts), *overlaps, *left_out),
        warnings=(*notes.warnings, *warnings),
        files=tuple(SourceFile(part.source, part.digest, part.source_rows, part.dialect) for part in parts),
        cleaned=notes.cleaned,
    )
    return BarFile(bars, account)


def _bar_seconds(parts: Sequence[Part], options: ReadOptions) -> tuple[int, str]:
    """Declared, else as the files say it, else the most common step of all of them, in which each file must agree."""
    if options.bar_size is not None:
        return bar_seconds(options.bar_size), f"bar size: {options.bar_size} (declared)"
    said = {part.seconds for part in parts if part.seconds is not None}
    if len(said) > 1:
        raise _mixed_sizes([(part, part.seconds) for part in parts if part.seconds is not None])
    if said:
        return (seconds := said.pop()), f"bar size: {size_text(seconds)} (record type)"
    source = _source_name(parts)
    seconds = common_step(np.concatenate([part.stamp_ns for part in parts]), source)
    own = [(part, common_step(part.stamp_ns, part.source)) for part in parts if len(part.rows) > ENOUGH_STEPS]
    if len(parts) > 1 and len({size for _, size in own}) > 1:
        raise _mixed_sizes(own)
    return seconds, f"bar size: {size_text(seconds)} (most common step)"


def _mixed_sizes(sizes: Sequence[tuple[Part, int | None]]) -> DataError:
    first, size = sizes[0]
    other, other_size = next((part, found) for part, found in sizes if found != size)
    return DataError(
        f"{first.symbol}: {first.source} holds bars of {size_text(size or 1)}, {other.source} of "
        f"{size_text(other_size or 1)}.",
        where=other.source,
        help="join files of one bar size",
    )


def _contract_names(parts: Sequence[Part]) -> list[str]:
    if len({part.contract is None for part in parts}) > 1:
        without = next(part for part in parts if part.contract is None)
        raise DataError(f"{without.source} names no contract, others do.", where=without.source, help="--map contract=")
    return list(
        dict.fromkeys(
            name for part in parts if part.contract is not None for name in part.contract.unique(maintain_order=True)
        )
    )


def _placed(part: Part, seconds: int, names: list[str]) -> Placed:
    """The rows of one file as bars that are stamped with their open."""
    shift = seconds * NANOSECONDS if part.stamp == "close" else 0
    contract = None if part.contract is None else contract_codes(part.contract, names)
    bars = Bars(
        symbol=part.symbol,
        time_ns=part.stamp_ns - shift,
        **part.values,
        bar_seconds=seconds,
        contract=contract,
        contract_names=tuple(names),
    )
    return Placed(bars, part.source, part.rows)


def _checked(placed: Placed, part: Part, options: ReadOptions, notes: Notes) -> Placed:
    """The bars of one file, cleaned as asked, in order and without repeats."""
    cleaned = clean(placed, options.cleaning)
    dropping = "drop_duplicates" in options.cleaning
    kept, warnings = check_part(
        cleaned.placed, sort=part.sort, on_duplicate="last" if dropping else options.on_duplicate
    )
    counts = dict(cleaned.counts)
    if dropping:
        counts["drop_duplicates"] = len(cleaned.placed.bars) - len(kept.bars)
    for rule, count in counts.items():
        notes.cleaned[rule] = notes.cleaned.get(rule, 0) + count
    notes.warnings.extend((*cleaned.notes, *warnings))
    return kept


def _filled_weekends(bars: Bars) -> tuple[str, ...]:
    """A warning of bars that fill weekends, where volume tells them from quiet minutes."""
    count = int(flat_weekend(bars).sum()) if bars.has_volume else 0
    found = f"{count} flat bars without volume on weekends: --clean drop_flat_weekend"
    return (found,) if count > FILLED_SHARE * len(bars) else ()


def _without_overlaps(whole: Placed) -> tuple[Placed, list[str]]:
    """One bar per time: where files overlap, their bars must be equal."""
    bars = whole.bars
    again = np.diff(bars.time_ns, prepend=bars.time_ns[:1] - 1) == 0
    if whole.file is None or not again.any():
        return whole, []
    names = COLUMNS if bars.contract is None else (*COLUMNS, "contract")
    differs = np.flatnonzero(
        again & np.any([np.diff(getattr(bars, name), prepend=np.nan) != 0 for name in names], axis=0)
    )
    if len(differs):
        listed = "; ".join(_two_rows(whole, position) for position in differs[:SHOWN])
        raise DataError(
            f"{bars.symbol}: files overlap with other values: {listed} ({len(differs)} of {int(again.sum())} rows).",
            where=whole.at(differs[0]),
            help="remove the wrong rows, or leave one of the files out",
        )
    return whole.take(~again), [f"overlaps: {int(again.sum())} rows of two files with equal values, kept once"]


def _two_rows(whole: Placed, position: int) -> str:
    first, second = position - 1, position
    return f"{whole.bar_text(first, ('close',))} and {whole.bar_text(second, ('close',))}"


def _with_contracts_in_order(bars: Bars) -> Bars:
    """Contract codes in the order in which the contracts come."""
    if bars.contract is None:
        return bars
    found, first = np.unique(bars.contract, return_index=True)
    coming = found[np.argsort(first)]
    codes = np.zeros(len(bars.contract_names), dtype=np.int32)
    codes[coming] = np.arange(len(coming), dtype=np.int32)
    names = tuple(bars.contract_names[code] for code in coming)
    return replace(bars, contract=codes[bars.contract], contract_names=names)


def _source_name(parts: Sequence[Part]) -> str:
    return parts[0].source if len(parts) == 1 else f"{len(parts)} files, {parts[0].source} to {parts[-1].source}"


def _digest(parts: Sequence[Part]) -> str:
    digests = [part.digest or array_digest(part.stamp_ns, *part.values.values()) for part in parts]
    return digests[0] if len(digests) == 1 else value_digest({"files": digests})


def _assumed(parts: Sequence[Part]) -> list[str]:
    return _merged(parts, lambda part: [*part.notes[:-1], _stamp_note(part)])


def _columns_last(parts: Sequence[Part]) -> list[str]:
    return _merged(parts, lambda part: [part.notes[-1]])


def _stamp_note(part: Part) -> str:
    return f"stamp: {part.stamp} of the bar" + (", shifted to the open" if part.stamp == "close" else "")


def _order_notes(parts: Sequence[Part]) -> list[str]:
    return _merged(parts, lambda part: [f"order: {_order(part.stamp_ns)}"])


def _order(stamp_ns: np.ndarray) -> str:
    back = np.diff(stamp_ns) < 0
    if not back.any():
        return "ascending, as it came"
    return "newest first, sorted by time" if np.all(np.diff(stamp_ns) <= 0) else "sorted by time"


def _merged(parts: Sequence[Part], notes_of: Callable[[Part], list[str]]) -> list[str]:
    """Each note once; with the files where it is not said of all of them, and counted where most files differ."""
    kinds: dict[str, dict[str, list[str]]] = {}
    for part in parts:
        for note in notes_of(part):
            kinds.setdefault(note.partition(":")[0], {}).setdefault(note, []).append(part.source)
    merged = []
    for files in kinds.values():
        told = [note if len(said) == len(parts) else f"{note} [{_listed(said)}]" for note, said in files.items()]
        merged += told if len(told) <= SHOWN else [f"{told[0]} to {told[-1]}: {len(told)} such notes"]
    return merged


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
