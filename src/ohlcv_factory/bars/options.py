"""What a person tells the reader about a file; a dialect is a set of these options."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ohlcv_factory.config import Settings, setting
from ohlcv_factory.errors import UsageError


class ReadOptions(Settings):
    """What the reader is told about a file; an option that cannot act on it is refused."""

    symbol: str | None = setting(
        None,
        "Symbol of the bars; of several in a symbol column, the one to read. None: from that column or the file name.",
    )
    tz: str | None = setting(None, "IANA zone of times that carry none, for example America/New_York.")
    date_format: str | None = setting(None, "strftime pattern of text times, for example %d.%m.%Y %H:%M:%S.%f.")
    time_unit: Literal["auto", "s", "ms", "us", "ns"] = setting(
        "auto", "Unit of epoch times; auto counts their digits."
    )
    delimiter: str = setting(",", "Character between the fields of a text file.")
    decimal: Literal[".", ","] = setting(".", "Decimal mark of a text file.")
    thousands: str | None = setting(None, "Mark between groups of three digits in a text file.")
    encoding: str = setting("utf-8", "Encoding of a text file.")
    columns: dict[str, str] = setting(
        {}, "Column names that differ, as {volume: vol}; {volume: none} where there is none."
    )
    stamp: Literal["open", "close"] = setting(
        "open", "Which end of the bar its time names; closes are shifted to the open."
    )
    bar_size: str | None = setting(
        None, "Length of a bar, for example 5min; it is checked. None: the most common step."
    )
    sort: bool = setting(False, "Sort rows that are not in order of time.")
    on_duplicate: Literal["error", "last"] = setting(
        "error", "Rows repeated with equal values: refuse, or keep the last."
    )
    ambiguous: Literal["error", "earliest", "latest"] = setting(
        "error", "Which pass is meant when daylight saving doubles an hour."
    )
    max_jump: float | None = setting(None, "Warn of closes that differ by more than this factor from bar to bar.", gt=1)


def refuse_options(options: ReadOptions, names: Sequence[str], reason: str) -> None:
    """Raise UsageError (2) about the first of `names` that was set, where it cannot act."""
    for name in names:
        if getattr(options, name) != ReadOptions.model_fields[name].default:
            flag = "--" + name.replace("_", "-")
            raise UsageError(
                f"{name}={getattr(options, name)!r} cannot apply: {reason}.", where=flag, help=f"leave {flag} out"
            )
