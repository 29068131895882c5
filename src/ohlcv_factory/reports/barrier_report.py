"""One page for a search for barriers: per symbol and horizon what was found, what it means, and every trial."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ohlcv_factory import __version__
from ohlcv_factory.reports.page import Section, compose, facts, heading, paragraph, table
from ohlcv_factory.reports.tuning_report import PAGE, SECTIONS, SearchOnPage, range_words, read_trials, value_words
from ohlcv_factory.reports.words import count, listing, number, percent
from ohlcv_factory.storage.atomic import write_text
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.studies.barrier_tuning import METRICS

LEAD = (
    "Other barriers are other labels, so trials are compared by money alone: each labels the bars anew, predicts them out of "
    "fold and trades the predictions after costs. The bars end where the val part begins. The best of many looks better here "
    "than it is: build the dataset with these barriers, train, and read the scores of val."
)


def write_barrier_page(folder: Path) -> Path:
    """Write `report.html` of a search for barriers into its folder; the same study gives the same bytes."""
    metrics, rows = read_json(folder / METRICS), read_trials(folder)
    made = [_asked(metrics), *(_search(entry, rows) for entry in metrics["searches"])]
    searched = listing(f"{entry['symbol']}, horizon {entry['horizon']}" for entry in metrics["searches"])
    title = f"Barriers by {metrics['model_name']}: {searched}"
    lead = f'<div class="verdict">{paragraph(LEAD)}</div>\n'
    write_text(folder / PAGE, compose(title, lead, made, f"ohlcv-model-factory {__version__}, study {folder.name}"))
    return folder / PAGE


def _asked(metrics: Mapping[str, Any]) -> Section:
    pairs = [
        ("Model", metrics["model_name"]),
        ("Looked for", metrics["goal"]),
        ("Folds", f"{metrics['scheme']}, {count(metrics['folds'])}"),
    ]
    rows = [
        (f"{entry['symbol']}, horizon {entry['horizon']}", *(range_words(each) for each in entry["space"]))
        for entry in metrics["searches"]
    ]
    html = facts(pairs) + table(("Search", "k_up", "k_down", "max_bars"), rows)
    return Section("What was asked", "asked", html)


def _search(entry: Mapping[str, Any], rows: list[dict[str, Any]]) -> Section:
    """One symbol and horizon."""
    own = [row for row in rows if (row["symbol"], row["horizon"]) == (entry["symbol"], entry["horizon"])]
    search = SearchOnPage(entry, own)
    html = paragraph(entry["words"]) + meaning_table(entry)
    for make in SECTIONS:
        section = make(search)
        html += heading(section.title) + section.html
    name = f"{entry['symbol']}, horizon {entry['horizon']}"
    return Section(name, f"search-{entry['symbol']}-{entry['horizon']}", html)


def meaning_table(entry: Mapping[str, Any]) -> str:
    """What the barriers make of the train rows, beside those that the dataset has."""
    header = (
        *("Barriers", "k_up", "k_down", "max_bars", "Rows", "Short", "Neutral", "Long"),
        *("Bars to the end", "Timed out", "Both in one bar"),
    )
    rows = [_meaning(words, entry[name]) for words, name in (("found", "found"), ("the dataset's", "before"))]
    return table(header, rows, caption="What the barriers mean")


def _meaning(words: str, found: Mapping[str, Any]) -> tuple[Any, ...]:
    shares = found["class_shares"]
    return (
        words,
        *(value_words(found[name]) for name in ("k_up", "k_down", "max_bars")),
        count(found["rows"]),
        *(percent(shares[name]) for name in ("short", "neutral", "long")),
        number(found["bars_to_end"]),
        percent(found["timed_out"]),
        percent(found["ambiguous"]),
    )
