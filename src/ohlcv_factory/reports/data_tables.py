"""Tables and pictures of a dataset's manifest, shared by the dataset's own page and the page of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from ohlcv_factory.bars.instruments import instrument_table
from ohlcv_factory.labels.classes import CLASS_NAMES
from ohlcv_factory.reports import charts
from ohlcv_factory.reports.page import Markup, paragraph, table
from ohlcv_factory.reports.words import DASH, costs, count, label_rule, moment, number, percent
from ohlcv_factory.splits.chronological import PART_NAMES

Manifest = Mapping[str, Any]

PART_KINDS = {"train": "s0", "val": "s2", "test": "plain"}
"""Style class of each part."""


def symbol_table(manifest: Manifest) -> str:
    """Bars, span, sessions and costs of every symbol."""
    rows = []
    for entry in manifest["symbols"]:
        instrument = entry["instrument"]
        summary = manifest["summary"]["symbols"][instrument["symbol"]]
        span = f"{moment(summary['first'])} to {moment(summary['last'])}"
        volume = "yes" if summary["has_volume"] else "no"
        facts = (count(summary["bars"]), span, count(summary["sessions"]), instrument["calendar"], volume)
        rows.append((instrument["symbol"], *facts, costs(instrument)))
    columns = ("Symbol", "Bars", "Span (UTC, open times)", "Sessions", "Calendar", "Volume", "Costs per side")
    return table(columns, rows, kind="wrap") + generic_costs_note(manifest)


def generic_costs_note(manifest: Manifest) -> str:
    """Which symbols have no row in the instrument table, so that declared generic costs stand in."""
    if manifest["config"]["instruments"] is not None:
        return ""
    names = [entry["instrument"]["symbol"] for entry in manifest["symbols"]]
    unknown = [name for name in names if name not in instrument_table()]
    if not unknown:
        return ""
    words = f"Not in the instrument table, so costs and calendar are generic: {', '.join(unknown)}."
    return paragraph(words, "warning")


def part_table(manifest: Manifest) -> str:
    """Parts with their dates, rows and the gaps between them, as a strip and a table."""
    parts = manifest["summary"]["parts"]
    rows = [
        (name, count(part["rows"]), moment(part["first"]), moment(part["last"]))
        if part["rows"]
        else (name, "0", DASH, DASH)
        for name in PART_NAMES
        for part in (parts[name],)
    ]
    gaps = " and ".join(dict.fromkeys(number(days, 1) for days in parts["embargo_days"]))
    first = count(manifest["summary"]["first_eligible_row"])
    words = (
        f"The first {first} bars of each symbol only warm the features up. Gaps of {gaps} days keep labels of one part "
        "from reaching into the next; their rows belong to no part."
    )
    columns = ("Part", "Rows", "First bar (UTC)", "Last bar (UTC)")
    return _part_strip(parts) + table(columns, rows) + paragraph(words, "note")


def label_tables(manifest: Manifest, horizons: Sequence[int]) -> str:
    """Class shares beside a random walk's, and how labels end, per horizon and symbol."""
    found = [
        (symbol, horizon, summary["horizons"][str(horizon)])
        for horizon in horizons
        for symbol, summary in manifest["summary"]["symbols"].items()
        if str(horizon) in summary["horizons"]
    ]
    shares = [row for symbol, horizon, labels in found for row in _share_rows(symbol, horizon, labels)]
    endings = [_ending_row(symbol, horizon, labels) for symbol, horizon, labels in found]
    columns = ("Horizon, symbol", "Source", "", *CLASS_NAMES)
    end_columns = (
        "Horizon, symbol", "Rule", "Labelled rows", "Mean bars to end", "Timed out", "Both barriers in one bar: order unknown",
        "Order told by finer bars", "Mean uniqueness",
    )  # fmt: skip
    return (
        charts.legend([(name, name) for name in CLASS_NAMES])
        + table(columns, shares, caption="Class shares, beside those of a random walk with the same rule")
        + table(end_columns, endings, caption="How labels end")
    )


def class_count_table(manifest: Manifest) -> str:
    """Scored rows of each class in each part."""
    rows = [
        (f"{horizon}, {symbol}", part, *(count(labels["class_counts"][part][name]) for name in CLASS_NAMES))
        for symbol, summary in manifest["summary"]["symbols"].items()
        for horizon, labels in summary["horizons"].items()
        for part in PART_NAMES
    ]
    return table(("Horizon, symbol", "Part", *CLASS_NAMES), rows, caption="Scored rows by part and class")


def _share_rows(symbol: str, horizon: int, labels: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    sources = (("this data", labels["class_shares"]), ("random walk", labels["random_walk_shares"]))
    return [
        (
            f"{horizon}, {symbol}",
            name,
            Markup(charts.share_bar([(each, shares[each]) for each in CLASS_NAMES], f"class shares of {name}")),
            *(percent(shares[each]) for each in CLASS_NAMES),
        )
        for name, shares in sources
    ]


def _ending_row(symbol: str, horizon: int, labels: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        f"{horizon}, {symbol}",
        label_rule(labels["rule"]),
        count(labels["labelled"]),
        number(labels["mean_bars_to_end"], 1),
        percent(labels["timed_out_share"]),
        percent(labels["ambiguous_share"], 2),
        percent(labels["resolved_share"], 2),
        number(labels["mean_uniqueness"], 3),
    )


def _part_strip(parts: Mapping[str, Any]) -> str:
    """Train, gap, val, gap, test to the scale of calendar time."""
    dated = [name for name in PART_NAMES if parts[name]["rows"]]
    if not dated:
        return ""
    ends = [_seconds(parts[name][end]) for name in dated for end in ("first", "last")]
    total = (ends[-1] - ends[0]) or 1.0
    kinds = [kind for name in dated for kind in (PART_KINDS[name], "gap")][:-1]
    widths = [(stop - start) / total for start, stop in pairwise(ends)]
    strip = charts.share_bar(list(zip(kinds, widths, strict=True)), "parts to the scale of time")
    return f"<figure>{charts.legend([(name, PART_KINDS[name]) for name in dated])}{strip}</figure>\n"


def _seconds(iso: str) -> float:
    return datetime.fromisoformat(iso).timestamp()
