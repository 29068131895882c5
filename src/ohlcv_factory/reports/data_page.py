"""The page of bar files: what each holds against its market's calendar, month by month, with every oddity listed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from ohlcv_factory import __version__
from ohlcv_factory.reports.page import Section, bullets, compose, facts, heading, paragraph, table, text
from ohlcv_factory.reports.words import DASH, bar_size, count, listing, moment, number, percent, plural
from ohlcv_factory.storage.atomic import write_text
from ohlcv_factory.storage.formats import write_json

PAGE, FIGURES = "report.html", "report.json"
MONTH_DAYS = 31
File = Mapping[str, Any]


def write_data_report(report: Mapping[str, Any], folder: Path) -> Path:
    """Write `report.html` and `report.json` into a folder, and return the page's path; equal figures, equal bytes."""
    write_json(folder / FIGURES, dict(report))
    write_text(folder / PAGE, data_page(report))
    return folder / PAGE


def data_page(report: Mapping[str, Any]) -> str:
    """The page from the figures of `data_report` alone."""
    files = report["files"]
    sections = [Section(_name(file), f"file-{position}", _file_html(file)) for position, file in enumerate(files)]
    symbols = listing(dict.fromkeys(file["symbol"] for file in files))
    return compose(f"Data report: {symbols}", _overview(files), sections, f"ohlcv-model-factory {__version__}")


def _name(file: File) -> str:
    return f"{file['symbol']}, {bar_size(file['bar_seconds'])} bars"


def _overview(files: Sequence[File]) -> str:
    rows = [
        (
            _name(file),
            count(file["bars"]),
            f"{moment(file['first'])} to {moment(file['last'])}",
            file["calendar"],
            _or_dash(file, count(file["sessions"]["absent"])),
            _or_dash(file, percent(_absent_share(file), 2)),
            count(len(file["account"]["warnings"])),
        )
        for file in files
    ]
    columns = ("File", "Bars", "Span (UTC, open times)", "Calendar", "Bars absent", "Share of expected", "Warnings")
    return table(columns, rows)


def _or_dash(file: File, words: str) -> str:
    return words if file["sessions"]["judged"] else DASH


def _absent_share(file: File) -> float:
    sessions = file["sessions"]
    return float(sessions["absent"] / sessions["expected"]) if sessions["expected"] else 0.0


def _file_html(file: File) -> str:
    parts = (_reading, _sessions, _calendar, _gaps, _volume, _jumps, _constant, _rolls)
    return "".join(part(file) for part in parts)


def _reading(file: File) -> str:
    """Where the bars came from, what was assumed, dropped and cleaned."""
    account = file["account"]
    pairs = [("Source", account["source"]), ("Rows read", count(account["rows"])), ("SHA-256", account["sha256"])]
    html = facts(pairs) + heading("What was assumed") + bullets(account["assumed"])
    html += heading("Duplicates, dropped and odd rows")
    cleaned = [f"{rule}: {plural(rows, 'row')}" for rule, rows in account.get("cleaned", {}).items()]
    found = [*account["warnings"], *cleaned]
    html += bullets(found) if found else paragraph("None: every row was used as it stands.", "note")
    return html


def _sessions(file: File) -> str:
    """How complete the sessions are."""
    sessions = file["sessions"]
    html = heading("Sessions")
    if file["calendar_is_generic"]:
        html += paragraph(
            f"{file['symbol']} is not in the instrument table: a market that never closes is assumed.", "warning"
        )
    html += "".join(paragraph(note[:1].upper() + note[1:] + ".", "warning") for note in file["calendar_notes"])
    if not sessions["judged"]:
        words = (
            f"{plural(sessions['count'], 'UTC day')}. The market's hours are not known, so no bar is called missing."
        )
        return html + paragraph(words)
    words = (
        f"{plural(sessions['count'], 'session')} of the calendar {file['calendar']} ({file['time_zone']}) would hold "
        f"{count(sessions['expected'])} bars with a trade in each; {count(sessions['present'])} are there, "
        f"{count(sessions['absent'])} are absent ({percent(_absent_share(file), 2)}). A bar without a trade is absent too."
    )
    html += paragraph(words)
    if sessions["outside"]:
        html += paragraph(
            f"{plural(sessions['outside'], 'bar')} outside of every session: is this the right calendar?", "warning"
        )
    return html + _special_days(sessions)


def _special_days(sessions: Mapping[str, Any]) -> str:
    rows = [
        (each["day"], _weekday(each["day"]), each["name"] or "holiday", DASH, count(each["bars"]))
        for each in sessions["holidays"]
    ]
    rows += [
        (each["day"], _weekday(each["day"]), "early close", moment(each["close"]), count(each["bars_after"]))
        for each in sessions["early_closes"]
    ]
    columns = ("Day", "Weekday", "What", "Close (UTC)", "Bars while closed")
    return table(columns, sorted(rows), caption="Holidays and early closes") if rows else ""


def _weekday(day: str) -> str:
    return date.fromisoformat(day).strftime("%A")


def _calendar(file: File) -> str:
    """A month to a row, a day to a cell: how many bars are absent, the darker the larger their share."""
    sessions = file["sessions"]
    if not sessions["judged"]:
        return ""
    cells = _session_cells(sessions)
    months = sorted({day[:7] for day in cells})
    body = "".join(_month_row(month, cells) for month in months)
    head = "".join(f'<th scope="col">{day}</th>' for day in range(1, MONTH_DAYS + 1))
    words = (
        "Bars absent in each session, by the day that names it; the darker, the larger their share. "
        "· all there, × none there, h holiday, e early close; empty: no session."
    )
    return (
        heading("Gap calendar") + paragraph(words, "caption") + '<div class="scroll" tabindex="0" role="group" '
        f'aria-label="Gap calendar of {text(file["symbol"])}"><table class="days"><thead><tr><th scope="col">Month</th>'
        f"{head}</tr></thead><tbody>{body}</tbody></table></div>\n"
    )


def _session_cells(sessions: Mapping[str, Any]) -> dict[str, str]:
    """Table cells by ISO day."""
    days = sessions["days"]
    early = {each["day"] for each in sessions["early_closes"]}
    cells = {each["day"]: "<td>h</td>" for each in sessions["holidays"]}
    for day, expected, present, absent in zip(
        days["day"], days["expected"], days["present"], days["absent"], strict=True
    ):
        mark = "×" if present == 0 and expected else str(absent) if absent else "·"
        words = f"{day}: {present} of {expected} bars" + (", early close" if day in early else "")
        share = absent / expected if expected else 0.0
        mark += "e" if day in early else ""
        cells[day] = f'<td style="--share:{share:.3f}" title="{text(words)}">{mark}</td>'
    return cells


def _month_row(month: str, cells: Mapping[str, str]) -> str:
    days = "".join(cells.get(f"{month}-{day:02d}", "<td></td>") for day in range(1, MONTH_DAYS + 1))
    return f'<tr><th scope="row">{month}</th>{days}</tr>'


def _gaps(file: File) -> str:
    """Gaps by kind, and the largest of them."""
    gaps = file["gaps"]
    html = heading("Gaps")
    if not gaps["count"]:
        return html + paragraph("None: each bar begins where the one before ends.", "note")
    kinds = [(kind, count(each["gaps"]), count(each["missing_bars"])) for kind, each in gaps["kinds"].items()]
    html += table(("Kind", "Gaps", "Bars missing"), kinds, caption="From a bar's close to the next one's open")
    if gaps["most_missing"]:
        html += table(GAP_COLUMNS, _gap_rows(gaps["most_missing"]), caption="Most bars missing")
    if gaps["most_missing"] == gaps["longest"]:
        return html
    return html + table(GAP_COLUMNS, _gap_rows(gaps["longest"]), caption="Longest")


GAP_COLUMNS = ("From (UTC)", "To (UTC)", "Length", "Kind", "Bars missing")


def _gap_rows(gaps: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    return [
        (moment(gap["begin"]), moment(gap["end"]), _length(gap["seconds"]), gap["kind"], count(gap["missing_bars"]))
        for gap in gaps
    ]


def _length(seconds: int) -> str:
    """`118800` as `1 d 9 h`."""
    parts = []
    for unit, name in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        amount, seconds = divmod(seconds, unit)
        parts += [f"{amount} {name}"] if amount else []
    return " ".join(parts[:2]) or "0 s"


def _volume(file: File) -> str:
    volume = file["volume"]
    html = heading("Volume holes")
    if not volume["has_volume"]:
        return html + paragraph("Volume is 0 in every bar: volume features are left out.", "note")
    if not volume["zero_bars"]:
        return html + paragraph("Every bar has volume.", "note")
    run = volume["longest"][0]
    words = (
        f"{plural(volume['zero_bars'], 'bar')} without volume ({percent(volume['zero_bars'] / file['bars'], 2)}); the "
        f"longest hole has {plural(run['bars'], 'bar')} from {moment(run['first'])}."
    )
    rows = [(each["day"], percent(each["zero_share"]), count(each["bars"])) for each in volume["sessions"]]
    return html + paragraph(words) + table(("Session", "Share without volume", "Bars"), rows)


def _jumps(file: File) -> str:
    jumps = file["jumps"]
    rows = [
        (
            moment(jump["time"]),
            percent(jump["log_return"], 2),
            number(jump["sigmas"], 1),
            _length(jump["after_gap_seconds"]) if jump["after_gap_seconds"] > 0 else "no gap",
        )
        for jump in jumps["largest"]
    ]
    words = f"Moves from close to close. One robust standard deviation is {percent(jumps['robust_sigma'], 4)}."
    columns = ("Bar (UTC)", "Log return", "Robust sigmas", "After a gap of")
    return heading("Largest jumps") + paragraph(words, "note") + (table(columns, rows) if rows else "")


def _constant(file: File) -> str:
    constant = file["constant"]
    words = (
        f"{plural(constant['flat_bars'], 'bar')} without a range ({percent(constant['flat_bars'] / file['bars'], 2)})."
    )
    rows = [(moment(run["first"]), moment(run["last"]), count(run["bars"])) for run in constant["longest"]]
    html = heading("Constant stretches") + paragraph(words, "note")
    return html + (table(("First bar (UTC)", "Last bar (UTC)", "Bars at one price"), rows) if rows else "")


def _rolls(file: File) -> str:
    """Known rolls, candidates, and whether prices look adjusted backward."""
    rolls = file["rolls"]
    html = heading("Contract rolls")
    if file["back_adjusted"]:
        words = f"{file['back_adjusted'][:1].upper()}{file['back_adjusted'][1:]}"
        html += paragraph(f"{words} Such prices were never quoted, and their returns are distorted.", "warning")
    if rolls["known"]:
        html += bullets(rolls["known"])
    if not rolls["candidates"]:
        return html + paragraph("No jump at a session break looks like a roll that is not named.", "note")
    words = (
        f"{plural(rolls['candidates'], 'jump')} at session breaks may be rolls, or news. None is taken for a roll until you "
        "name its time."
    )
    rows = [
        (
            moment(each["time"]),
            percent(each["jump"], 2),
            number(each["sigmas"], 1),
            number(each["volume_ratio"], 2),
            each["why"],
        )
        for each in rolls["strongest"]
    ]
    columns = ("First bar (UTC)", "Jump", "Robust sigmas", "Volume ratio", "Why")
    return html + paragraph(words) + table(columns, rows, kind="wrap")
