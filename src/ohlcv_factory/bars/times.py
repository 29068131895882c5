"""Times in nanoseconds since 1970 UTC out of epoch numbers, text or typed columns; a zone is never guessed."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from ohlcv_factory.bars.options import ReadOptions, refuse_options
from ohlcv_factory.bars.schema import NANOSECONDS
from ohlcv_factory.bars.table import Table
from ohlcv_factory.errors import DataError, UsageError, unknown_name

NANOSECONDS_PER_UNIT = {"s": NANOSECONDS, "ms": 1_000_000, "us": 1000, "ns": 1}
UNIT_OF_DIGITS = {10: "s", 13: "ms", 16: "us", 19: "ns"}
LATEST_NS = np.iinfo(np.int64).max
ZONE_SUFFIX = r" ?(?:Z|[+-]\d{2}:?\d{2})$"
YEAR_FIRST = re.compile(r"\d{4}([-/.])\d{2}\1\d{2}(?:([T ])\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?( ?)(Z|[+-]\d{2}:?\d{2})?")
YEAR_LAST = re.compile(r"\d{1,2}([-/.])\d{1,2}\1\d{4}( \d{1,2}:\d{2}(:\d{2}(\.\d+)?)?)?")
ZONE_NAME = r" ([A-Z][A-Za-z]+/[A-Za-z_]+(?:/[A-Za-z_]+)?|UTC|EST|MST|HST|EET|CET|MET|WET|GMT)$"
ABOVE_12 = r"(?:1[3-9]|[23]\d)\D"


@dataclass(frozen=True)
class TimeFacts:
    """What the dialect adds to the options: formats of its times, where the zone comes from, advice on zones."""

    formats: tuple[tuple[str, str], ...] = ()
    zone_from: str = "declared"
    zone_help: str = ""


def utc_times(
    table: Table, names: tuple[str, ...], options: ReadOptions, facts: TimeFacts = TimeFacts()
) -> tuple[np.ndarray, list[str]]:
    """int64 nanoseconds since 1970 UTC, `(n,)`, and notes on format and zone.

    `names` is the column of time, or a date and a time of the day. Raises UsageError (2) for an option that cannot
    act on these times, DataError (65) with row and text for a time that cannot be read or is ambiguous.
    """
    column = _time_column(table, names)
    table.refuse(column.is_null(), column, "is no time", "mend or remove these rows")
    column, options, facts = _without_zone_name(table, column, options, facts)
    options, column, facts = _with_format(column, options, facts)
    if _is_epoch(column, options):
        return _epoch_times(table, column, options, facts)
    refuse_options(options, ("time_unit",), "the times are dates, no epoch numbers")
    if column.dtype == pl.String:
        moments, note = _text_moments(table, column, options, facts)
    elif column.dtype in (pl.Date, pl.Datetime):
        refuse_options(options, ("date_format",), "the times are no text")
        moments, note = _microseconds(column), "times: typed"
        if _zone(moments) is not None and options.tz is not None:
            _refuse_other_zone(table, column, moments, moments.dt.replace_time_zone(None), options.tz)
    else:
        raise DataError(
            f"{column.name} holds {column.dtype}, no times.", where=table.source, help="--map timestamp=NAME"
        )
    utc, zone_note = _utc(table, column, moments, options, facts)
    return _nanoseconds(table, column, utc), [note, zone_note]


def _time_column(table: Table, names: tuple[str, ...]) -> pl.Series:
    """The column of time as it came; a date and a time of the day are joined."""
    if len(names) == 1:
        column = table.frame[names[0]]
        return column.str.strip_chars() if column.dtype == pl.String else column
    date, time = (table.frame[name].cast(pl.String).str.strip_chars() for name in names)
    return (date + " " + time).alias(" + ".join(names))


def _with_format(column: pl.Series, options: ReadOptions, facts: TimeFacts) -> tuple[ReadOptions, pl.Series, TimeFacts]:
    """The options with the dialect's format of such times, where the caller gave none."""
    if options.date_format is not None or column.dtype != pl.String or not len(column):
        return options, column, replace(facts, formats=())
    found = [(pattern, meant) for pattern, meant in facts.formats if re.fullmatch(pattern, column[0])]
    if not found:
        return options, column, replace(facts, formats=())
    tidy = column.str.replace_all(r" +", " ")
    return options.model_copy(update={"date_format": found[0][1]}), tidy, replace(facts, formats=(found[0],))


def _without_zone_name(
    table: Table, column: pl.Series, options: ReadOptions, facts: TimeFacts
) -> tuple[pl.Series, ReadOptions, TimeFacts]:
    """Times without the name of the zone that stands behind each of them, and that zone as the option."""
    if column.dtype != pl.String or not len(column):
        return column, options, facts
    match = re.search(ZONE_NAME, column[0])
    if match is None:
        return column, options, facts
    zone = match[1]
    table.refuse(
        ~column.str.ends_with(" " + zone), column, f"is not in {zone} as the first time is", "--symbol, or mend"
    )
    if options.tz not in (None, zone) and facts.zone_from == "declared":
        raise UsageError(f"tz={options.tz!r} disagrees with {column[0]!r}.", where="--tz", help="leave --tz out")
    bare = column.str.strip_suffix(" " + zone)
    return bare, options.model_copy(update={"tz": zone}), replace(facts, zone_from="carried by the times")


def _is_epoch(column: pl.Series, options: ReadOptions) -> bool:
    if column.dtype != pl.String:
        return column.dtype.is_numeric()
    return options.date_format is None and len(column) > 0 and re.fullmatch(r"\d+", column[0]) is not None


def _epoch_times(
    table: Table, column: pl.Series, options: ReadOptions, facts: TimeFacts
) -> tuple[np.ndarray, list[str]]:
    refuse_options(options, ("date_format", "ambiguous"), "the times are epoch numbers")
    if options.tz not in (None, "UTC") and facts.zone_from == "declared":
        raise UsageError("tz cannot apply: epoch times are UTC.", where="--tz", help="leave --tz out")
    numbers = column.cast(pl.Int64, strict=False)
    broken = numbers.is_null() if column.dtype == pl.String else numbers.is_null() | (numbers != column)
    table.refuse(broken, column, "is no whole epoch number", "mend or remove these rows")
    counted = numbers.to_numpy()
    scale = _epoch_scale(table, column, counted, options)
    table.refuse(pl.Series(np.abs(counted) > LATEST_NS // scale), column, "lies beyond the year 2262", "--time-unit")
    units = [unit for unit, size in NANOSECONDS_PER_UNIT.items() if np.any(scale == size)]
    origin = "by their digits" if options.time_unit == "auto" else "declared"
    return counted * scale, [f"times: epoch in {' and '.join(units)} ({origin})", "zone: UTC (epoch)"]


def _epoch_scale(table: Table, column: pl.Series, counted: np.ndarray, options: ReadOptions) -> np.ndarray:
    """Nanoseconds per unit of each epoch number; files joined from two exports may hold two units."""
    if options.time_unit != "auto":
        return np.full(len(counted), NANOSECONDS_PER_UNIT[options.time_unit])
    by_digits = np.zeros(20, dtype=np.int64)
    for digits, unit in UNIT_OF_DIGITS.items():
        by_digits[digits] = NANOSECONDS_PER_UNIT[unit]
    scale = by_digits[np.searchsorted(10 ** np.arange(19), counted, side="right")]
    help = "--time-unit s, ms, us or ns; --date-format for dates such as 20240131"
    table.refuse(pl.Series(scale == 0), column, "has none of 10, 13, 16 or 19 digits", help)
    return scale


def _text_moments(table: Table, column: pl.Series, options: ReadOptions, facts: TimeFacts) -> tuple[pl.Series, str]:
    """Microseconds, zone-aware where the text carries a zone, and a note on the format."""
    if options.date_format is not None:
        pattern = options.date_format.replace(".%f", "%.f")
        if re.search(r"%[#:]*z", pattern):
            refuse_options(options, ("tz",), "the date format reads a zone")
        origin = "dialect" if facts.formats else "declared"
        return _parsed(table, column, pattern), f"times: {options.date_format} ({origin})"
    match = YEAR_FIRST.fullmatch(column[0])
    if match is None:
        pattern, which = _year_last_pattern(table, column)
        return _parsed(table, column, pattern), f"times: {which} ({pattern}), as some day is above 12"
    _refuse_mixed_zones(table, column)
    separator, before_time, seconds, fraction, blank, zone = match.groups()
    pattern = f"%Y{separator}%m{separator}%d"
    if before_time:
        pattern += before_time + _clock_pattern(seconds, fraction)
    moments = _parsed(table, column, pattern + (f"{blank}%#z" if zone else ""))
    if zone and options.tz is not None:
        wall = _parsed(table, column.str.replace(ZONE_SUFFIX, ""), pattern)
        _refuse_other_zone(table, column, moments, wall, options.tz)
    return moments, "times: ISO 8601" if separator == "-" else f"times: year first ({pattern})"


def _clock_pattern(seconds: str | None, fraction: str | None) -> str:
    """Hours to what the first time shows; without `%.f`, polars parses five times as fast."""
    return "%H:%M" + (":%S" if seconds else "") + ("%.f" if fraction else "")


def _parsed(table: Table, column: pl.Series, pattern: str) -> pl.Series:
    moments = column.str.to_datetime(pattern, time_unit="us", strict=False)
    table.refuse(moments.is_null(), column, f"is not a time like {pattern}", "mend these rows, or --date-format")
    return moments


def _year_last_pattern(table: Table, column: pl.Series) -> tuple[str, str]:
    """The pattern of dates like 31.01.2024 and its name: only a number above 12 proves which one the day is."""
    match = YEAR_LAST.fullmatch(column[0])
    if match is None:
        table.refuse_all(column, "is not ISO 8601", "--date-format, for example '%Y%m%d %H%M%S'")
    mark, time, seconds, fraction = match.groups()
    clock = f" {_clock_pattern(seconds, fraction)}" if time else ""
    day_first, month_first = f"%d{mark}%m{mark}%Y{clock}", f"%m{mark}%d{mark}%Y{clock}"
    first, second = (bool(column.str.contains(before + ABOVE_12).any()) for before in ("^", r"^\d{1,2}\D"))
    if first == second:
        help = f"--date-format '{day_first}' or '{month_first}', or write ISO 8601"
        table.refuse_all(column, "may be day first or month first", help)
    return (day_first, "day first") if first else (month_first, "month first")


def _refuse_mixed_zones(table: Table, column: pl.Series) -> None:
    """Some times with a zone and some without."""
    aware = column.str.contains(rf":\d{{2}}(?:\.\d+)?{ZONE_SUFFIX}")
    if aware.any() and not aware.all():
        with_zone, without = int(aware.arg_max() or 0), int(aware.arg_min() or 0)
        raise DataError(
            f"{column.name}: row {table.rows[with_zone]} {column[with_zone]!r} has a zone, "
            f"row {table.rows[without]} {column[without]!r} has none.",
            where=f"{table.source}:{table.rows[max(with_zone, without)]}",
            help="write all of them in UTC with a Z",
        )


def _refuse_other_zone(table: Table, column: pl.Series, moments: pl.Series, wall: pl.Series, tz: str) -> None:
    """A declared zone must show the wall clock that zone-aware times show."""
    shown = moments.dt.convert_time_zone(_known_zone(tz)).dt.replace_time_zone(None)
    other = np.flatnonzero((shown != wall).to_numpy())
    if len(other):
        raise UsageError(
            f"tz={tz!r} disagrees with row {table.rows[other[0]]}: {str(column[int(other[0])])!r} has its own zone.",
            where="--tz",
            help="leave --tz out",
        )


def _utc(
    table: Table, column: pl.Series, moments: pl.Series, options: ReadOptions, facts: TimeFacts
) -> tuple[pl.Series, str]:
    """Moments in UTC and a note on the zone they came in."""
    zone = _zone(moments)
    if zone is not None:
        refuse_options(options, ("ambiguous",), "the times carry a zone")
        return moments.dt.convert_time_zone("UTC"), "zone: carried by the times"
    if options.tz is None:
        help = facts.zone_help or "--tz UTC, or the IANA name of the exporter's zone; it is never guessed"
        table.refuse_all(column, "carries no time zone", help)
    zone = _known_zone(options.tz)
    earliest = moments.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    table.refuse(
        earliest.is_null(), column, f"does not exist: {zone} skips that hour", "is --tz right? else export in UTC"
    )
    latest = moments.dt.replace_time_zone(zone, ambiguous="latest", non_existent="null")
    if options.ambiguous == "error":
        help = "--ambiguous earliest or latest, or export in UTC"
        table.refuse(earliest != latest, column, f"comes twice: {zone} repeats that hour", help)
    chosen = latest if options.ambiguous == "latest" else earliest
    return chosen.dt.convert_time_zone("UTC"), f"zone: {zone} ({facts.zone_from})"


def _known_zone(tz: str) -> str:
    try:
        pl.Series([0]).cast(pl.Datetime("us")).dt.replace_time_zone(tz)
    except pl.exceptions.PolarsError:
        from zoneinfo import available_timezones

        raise unknown_name(
            "time zone", tz, available_timezones(), see="the IANA time zone database", where="--tz"
        ) from None
    return tz


def _nanoseconds(table: Table, column: pl.Series, utc: pl.Series) -> np.ndarray:
    micro = utc.dt.timestamp("us").to_numpy()
    table.refuse(pl.Series(np.abs(micro) > LATEST_NS // 1000), column, "lies beyond the year 2262", "mend these rows")
    return micro * 1000


def _microseconds(column: pl.Series) -> pl.Series:
    return column.cast(pl.Datetime("us", _zone(column)))


def _zone(column: pl.Series) -> str | None:
    return column.dtype.time_zone if isinstance(column.dtype, pl.Datetime) else None
