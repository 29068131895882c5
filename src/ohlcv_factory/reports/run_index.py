"""One HTML page of every run in a folder, finished or not, with columns that sort by a click."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ohlcv_factory.reports.page import Markup, Section, compose, paragraph, table, text
from ohlcv_factory.reports.words import DASH, Form, number, percent, plural, score
from ohlcv_factory.runtime.clock import system_clock, utc_text
from ohlcv_factory.storage import atomic
from ohlcv_factory.studies.run_folders import RunFacts, list_runs, vouched_evaluation

COLUMNS = (
    "Run", "State", "Model", "Horizon", "Symbols", "Sharpe, net", "Return / year", "Macro-F1", "Direction hits", "Log-loss",
    "Trades", "Verdict", "Tags", "Megabytes", "Ended",
)  # fmt: skip
CAPTION = "Runs, oldest first; a click on a heading sorts by it, a second click the other way round"


def write_run_index(folder: Path, out: Path) -> Path:
    """Write the page of the runs in `folder` to `out`, in one step. Raises InputMissingError (66), OutputError (73)."""
    runs = list_runs(folder)
    atomic.create_folder(out.parent)
    atomic.write_text(out, index_html(folder, runs, utc_text(system_clock())))
    return out


def index_html(folder: Path, runs: Sequence[RunFacts], written: str) -> str:
    """The page; it may run the one script that sorts, and loads nothing."""
    size = sum(run.size_bytes for run in runs) / 1e6
    lead = paragraph(f"{plural(len(runs), 'run')} in {folder}, {number(size, 1)} MB.")
    note = paragraph("Runs on other rows cannot be compared by their scores: `compare` groups those that can.", "note")
    body = table(COLUMNS, [_row(run) for run in runs], caption=CAPTION, kind="sortable") if runs else ""
    return compose("Runs", lead, [Section("Runs", "runs", body + note)], f"Written {written}", script="sort_tables.js")


def _row(run: RunFacts) -> tuple[Any, ...]:
    classes, trading = _scores(run.path)
    return (
        run.path.name,
        run.state if not run.error else Markup(f"{text(run.state)}<small>{text(run.error)}</small>"),
        run.model or DASH,
        DASH if run.horizon is None else _sorted_by(run.horizon, str(run.horizon)),
        ", ".join(run.symbols) or DASH,
        _value(trading, "sharpe_ratio", number),
        _value(trading, "annualized_return", percent),
        _value(classes, "macro_f1", score),
        _value(classes, "direction_hit_rate", score),
        _value(classes, "log_loss", score),
        _value(trading, "num_trades", lambda value: number(value, 0)),
        run.verdict or DASH,
        ", ".join(run.tags) or DASH,
        _sorted_by(run.size_bytes, number(run.size_bytes / 1e6, 1)),
        run.updated or DASH,
    )


def _scores(run: Path) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Classification and trading scores; empty where a run has none that its manifest vouches for."""
    evaluation = vouched_evaluation(run)
    found = [evaluation.get(block) for block in ("classification", "trading")]
    classes, trading = (each if isinstance(each, Mapping) else {} for each in found)
    return classes, trading


def _value(scores: Mapping[str, Any], name: str, form: Form) -> Markup | str:
    value = scores.get(name)
    return DASH if value is None else _sorted_by(value, form(value))


def _sorted_by(value: float, shown: str) -> Markup:
    return Markup(f'<data value="{value!r}">{text(shown)}</data>')
