"""What a person tells the reader about a file; a dialect is a set of these options."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator

from ohlcv_factory.config import Settings, setting
from ohlcv_factory.errors import UsageError, nearest

CLEANING = {
    "drop_bad_rows": "prices absent, not finite or not above 0, high below low, open or close outside low to high",
    "drop_negative_volume": "volume below 0",
    "zero_negative_volume": "volume below 0 becomes 0",
    "drop_flat_weekend": "one price and no volume between Friday 21:00 UTC and Monday 00:00 UTC",
    "drop_duplicates": "a time that comes again with the same values",
}
"""What may be repaired, only by name; the account counts what each rule did."""


NOBODY = "none"
"""A dialect of that name turns the recognition of dialects off."""


def _known_rules(rules: tuple[str, ...]) -> tuple[str, ...]:
    for rule in rules:
        if rule not in CLEANING:
            close = nearest(rule, CLEANING)
            raise ValueError(
                f"no rule {rule!r}; " + (f"did you mean {close!r}?" if close else f"offered: {', '.join(CLEANING)}")
            )
    return rules


def _known_encoding(encoding: str) -> str:
    try:
        "a".encode(encoding)
    except (LookupError, ValueError):  # a name with a NUL is no name either
        raise ValueError(f"encoding {encoding!r} is not known: utf-8, utf-16, latin-1 …") from None
    return encoding


def _named(dialect: str | None) -> str | None:
    """`auto` on a command line unsets the dialect that a run has recorded."""
    return None if dialect == "auto" else dialect


class ReadOptions(Settings):
    """What the reader is told about a file; an option that cannot act on it is refused.

    None and `auto` leave it to the file's dialect, and where it has none to the default that is said.
    """

    dialect: Annotated[str | None, AfterValidator(_named)] = setting(
        None,
        "Who wrote the file, a name of `data dialects`; none: nobody who is known. None or auto: told from its content.",
    )
    symbol: str | None = setting(
        None,
        "Symbol of the bars; of several in a symbol column, the one to read. None: from that column or the file name.",
    )
    contracts: tuple[str, ...] = setting(
        (), "Of several contracts in a contract column, those to read. Empty: all, one at any time."
    )
    tz: str | None = setting(None, "IANA zone of times that carry none, for example America/New_York.")
    date_format: str | None = setting(None, "strftime pattern of text times, for example %d.%m.%Y %H:%M:%S.%f.")
    time_unit: Literal["auto", "s", "ms", "us", "ns"] = setting(
        "auto", "Unit of epoch times; auto counts their digits."
    )
    delimiter: str | None = setting(None, "Character between the fields of a text file. None: the dialect's, or ','.")
    decimal: Literal[".", ","] = setting(".", "Decimal mark of a text file.")
    thousands: str | None = setting(None, "Mark between groups of three digits in a text file.")
    encoding: Annotated[str, AfterValidator(_known_encoding)] = setting("utf-8", "Encoding of a text file.")
    columns: dict[str, str] = setting(
        {}, "Column names that differ, as {volume: vol}; {volume: none} where there is none."
    )
    stamp: Literal["open", "close"] | None = setting(
        None,
        "Which end of the bar its time names; closes are shifted to the open. None: the dialect's, or the open.",
    )
    bar_size: str | None = setting(
        None, "Length of a bar, for example 5min; it is checked. None: the most common step."
    )
    sort: bool | None = setting(
        None, "Sort rows that are not in order of time. None: where the dialect is newest first."
    )
    on_duplicate: Literal["error", "last"] = setting(
        "error", "Rows repeated with equal values: refuse, or keep the last."
    )
    ambiguous: Literal["error", "earliest", "latest"] = setting(
        "error", "Which pass is meant when daylight saving doubles an hour."
    )
    max_jump: float | None = setting(100.0, "List closes that differ by this factor or more from bar to bar.", gt=1)
    price_scale: float | None = setting(None, "Factor on prices. None: the dialect's, or 1.", gt=0)
    volume_scale: float = setting(1.0, "Factor on volume, for example 100 where it counts lots of 100.", gt=0)
    cleaning: Annotated[tuple[str, ...], AfterValidator(_known_rules)] = setting(
        (), f"Rules of repair: {', '.join(CLEANING)}. Nothing else is repaired."
    )


def named_dialect(options: ReadOptions) -> str | None:
    """The dialect that the caller named, if any."""
    return None if options.dialect == NOBODY else options.dialect


def refuse_options(options: ReadOptions, names: Sequence[str], reason: str) -> None:
    """Raise UsageError (2) about the first of `names` that was set, where it cannot act."""
    for name in names:
        if getattr(options, name) != ReadOptions.model_fields[name].default:
            flag = "--" + name.replace("_", "-")
            raise UsageError(
                f"{name}={getattr(options, name)!r} cannot apply: {reason}.", where=flag, help=f"leave {flag} out"
            )
