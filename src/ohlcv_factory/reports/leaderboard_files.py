"""The leaderboard as a file: CSV for programs, one HTML page, Markdown for notes; the same runs in the same order."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ohlcv_factory import __version__
from ohlcv_factory.errors import UsageError
from ohlcv_factory.evaluation.score_table import SCORE_HEADER, SCORE_LEGEND, baseline_rows, score_row
from ohlcv_factory.reports import page
from ohlcv_factory.reports.words import DASH, MINUS, THIN_SPACE
from ohlcv_factory.storage.atomic import write_text
from ohlcv_factory.studies.comparison import ComparedGroup
from ohlcv_factory.studies.leaderboard import (
    AVERAGE_HEADER,
    AVERAGE_NOTE,
    RANK_HEADER,
    RANK_LEGEND,
    SPREAD_NOTE,
    SPREAD_TITLE,
    Leaderboard,
    average_rows,
    comparison_rows,
    rank_rows,
    seed_spreads,
    spread_table,
)

TITLE = "Leaderboard"
MORE_COLUMNS = ("seed", "verdict", "run")
SCORES = {
    "classification": (
        "macro_f1",
        "mcc",
        "direction_hit_rate",
        "independent_rate",
        "direction_edge",
        "log_loss",
        "brier",
    ),
    "trading": ("sharpe_ratio", "annualized_return", "max_drawdown", "num_trades", "total_cost"),
}
"""Scores of the CSV file, by the block of the metrics that they stand in."""


def write_leaderboard(board: Leaderboard, path: Path) -> Path:
    """Write the leaderboard in the format that the file's suffix names; the same runs give the same bytes.

    Raises UsageError (2) for another suffix than .csv, .html and .md.
    """
    check_suffix(path)
    write_text(path, WRITERS[path.suffix](board))
    return path


def check_suffix(path: Path) -> None:
    """Raises UsageError (2) where no format has this suffix."""
    if path.suffix not in WRITERS:
        raise UsageError(
            f"a leaderboard is written as {', '.join(WRITERS)}, got {path.name!r}.",
            where="--out",
            help="name the file leaderboard.csv, for example; --json prints JSON",
        )


def leaderboard_csv(board: Leaderboard) -> str:
    """One line per run with everything that is said of it, numbers in full; an undefined one is an empty cell."""
    rows = [row for found in board.groups.values() for row in _csv_rows(found, board)]
    stream = io.StringIO()
    writer = csv.DictWriter(stream, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def leaderboard_markdown(board: Leaderboard) -> str:
    """A table per group with its sentences, and the average ranks."""
    pieces = [f"# {TITLE} by {board.by}", *map(_group_markdown, board.groups.values())]
    rows = average_rows(board)
    if rows:
        pieces.append(f"## Over all groups\n\n{_markdown_table(AVERAGE_HEADER, rows)}\n\n{AVERAGE_NOTE}")
    pieces.append("\n\n".join([*RANK_LEGEND.splitlines(), *SCORE_LEGEND.splitlines()]))
    return "\n\n".join(pieces) + "\n"


def leaderboard_page(board: Leaderboard) -> str:
    """One self-contained page: a section per group, one of average ranks, one on the columns."""
    groups = enumerate(board.groups.values(), start=1)
    sections = [page.Section(_title(found), f"group-{number}", _group_html(found)) for number, found in groups]
    rows = _shown_rows(average_rows(board))
    if rows:
        html = page.table(AVERAGE_HEADER, rows) + page.paragraph(AVERAGE_NOTE, "note")
        sections.append(page.Section("Over all groups", "groups", html))
    legend = "".join(map(page.paragraph, [*RANK_LEGEND.splitlines(), *SCORE_LEGEND.splitlines()]))
    sections.append(page.Section("What the columns mean", "meaning", legend))
    lead = page.bullets(f"{found.group.words}: {found.words[0]}" for found in board.groups.values())
    newest = max(str(run.evaluation["timestamp"]) for run in board.runs)
    colophon = f"ohlcv-model-factory {__version__}, runs up to {newest}"
    return page.compose(f"{TITLE} by {board.by}", lead, sections, colophon)


WRITERS: dict[str, Callable[[Leaderboard], str]] = {
    ".csv": leaderboard_csv,
    ".html": leaderboard_page,
    ".md": leaderboard_markdown,
}
"""What makes the text of a file, by its suffix."""


def _csv_rows(found: ComparedGroup, board: Leaderboard) -> list[dict[str, Any]]:
    facts, averages = found.facts(), board.average_ranks
    superiority = facts["superiority"] or {}
    return [
        {
            "symbols": " ".join(found.group.symbols),
            "horizon": found.group.horizon,
            "part": facts["part"],
            "model": run.manifest["model"],
            "seed": run.manifest["seed"],
            "by": found.by,
            **_flat(compared),
            "average_rank": averages.get(run.manifest["model"]),
            **{name: run.evaluation[block].get(name) for block, names in SCORES.items() for name in names},
            **_both_ends("sharpe", run.evaluation["trading"]["sharpe_interval"]),
            "verdict": run.evaluation["verdict"]["code"],
            "group_spa_p": superiority.get("consistent"),
            "group_reality_check_p": superiority.get("reality_check"),
            "group_overfitting": facts["overfitting"],
            "run": str(run.path),
        }
        for run, compared in zip(found.runs, comparison_rows(found), strict=True)
    ]


def _flat(compared: dict[str, Any]) -> dict[str, Any]:
    """The comparison of a run with both ends of every interval in cells of their own."""
    flat: dict[str, Any] = {}
    for name, value in compared.items():
        flat |= _both_ends(name.removesuffix("_interval"), value) if name.endswith("_interval") else {name: value}
    return flat


def _both_ends(name: str, interval: Sequence[float] | None) -> dict[str, float | None]:
    low, high = interval or (None, None)
    return {f"{name}_low": low, f"{name}_high": high}


def _title(found: ComparedGroup) -> str:
    return f"{found.group.words}, part {found.runs[0].evaluation['part']}"


def _table(found: ComparedGroup) -> tuple[tuple[str, ...], list[list[str]], list[list[str]]]:
    """Header, a row per run, a row per baseline of the best run: ranks, then scores."""
    own = [
        [
            *ranks,
            *score_row("", run.evaluation)[1:],
            run.manifest["seed"],
            run.evaluation["verdict"]["code"],
            run.path.name,
        ]
        for ranks, run in zip(rank_rows(found), found.runs, strict=True)
    ]
    empty, after = [None] * (len(RANK_HEADER) - 1), [None] * len(MORE_COLUMNS)
    others = [[name, *empty, *scores, *after] for name, *scores in baseline_rows(found.runs[0].evaluation)]
    return (*RANK_HEADER, *SCORE_HEADER[1:], *MORE_COLUMNS), _shown_rows(own), _shown_rows(others)


def _group_html(found: ComparedGroup) -> str:
    header, *bodies = _table(found)
    spreads = seed_spreads(found.runs)
    columns = [name.replace(" %", f"{THIN_SPACE}%") for name in header]
    html = page.table(columns, *([[_name(name), *cells] for name, *cells in rows] for rows in bodies))
    html += "".join(map(page.paragraph, found.words))
    if not spreads:
        return html
    return (
        html + page.table(*spread_table(spreads, found.by), caption=SPREAD_TITLE) + page.paragraph(SPREAD_NOTE, "note")
    )


def _name(name: str) -> page.Markup:
    """A name that breaks where it has an underscore, not in the middle of a word."""
    return page.Markup(page.text(name).replace("_", "_<wbr>"))


def _group_markdown(found: ComparedGroup) -> str:
    header, own, others = _table(found)
    spreads = seed_spreads(found.runs)
    pieces = [f"## {_inert(_title(found))}", _markdown_table(header, own + others), *map(_inert, found.words)]
    if spreads:
        pieces += [f"{SPREAD_TITLE}:", _markdown_table(*spread_table(spreads, found.by)), SPREAD_NOTE]
    return "\n\n".join(pieces)


def _markdown_table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [header, ["---"] * len(header), *_shown_rows(rows)]
    return "\n".join(f"| {' | '.join(map(_inert, line))} |" for line in lines)


def _inert(value: str) -> str:
    """Text that cannot end a cell or begin markup."""
    return value.replace("\n", " ").replace("|", "\\|").replace("<", "&lt;")


def _shown_rows(rows: Sequence[Sequence[Any]]) -> list[list[str]]:
    return [[_shown(value) for value in row] for row in rows]


def _shown(value: Any) -> str:
    if value in (None, "-"):
        return DASH
    shown = f"{value:.3f}" if isinstance(value, float) else str(value)
    return shown.replace("-", MINUS) if isinstance(value, float) or shown.startswith("[") else shown
