"""Permutation importance of a study: features, categories and stretches of bars, with their spread over the folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ohlcv_factory.reports.charts import Span, interval_chart
from ohlcv_factory.reports.page import paragraph, table, text
from ohlcv_factory.reports.words import DASH, count, number

SHOWN = 20
WORDS = (
    "How much larger the log-loss gets, in nats, on rows that a fold never saw, when what stands here is exchanged among "
    "them in blocks of neighbouring rows. 0 means that the model does as well without; where the interval holds 0, chance "
    "explains it. The interval is that of the mean over the folds. Columns that say the same share their worth: look at "
    "their category too."
)
TITLES = {"feature": "Features", "category": "Categories", "bars": "Bars of the window, 0 is that of the decision"}


def importance_figures(records: Sequence[Mapping[str, Any]]) -> str:
    """One picture per subject and a table of the features; empty without records."""
    if not records:
        return ""
    groups = {
        title: [record for record in records if record["subject"] == subject] for subject, title in TITLES.items()
    }
    pictures = "".join(_picture(title, group[:SHOWN], len(group)) for title, group in groups.items() if group)
    return paragraph(WORDS) + pictures + _feature_table(groups[TITLES["feature"]][:SHOWN])


def _picture(title: str, group: Sequence[Mapping[str, Any]], total: int) -> str:
    spans = [Span(record["name"], record["increase"], record["interval"], "s0") for record in group]
    shown = f", the first {count(len(group))} of {count(total)}" if len(group) < total else ""
    words = f"{title}{shown}: increase of the log-loss, with its 90 % interval over the folds."
    chart = interval_chart(spans, f"importance of {title.lower()}", _nats)
    return f"<figure><figcaption>{text(words)}</figcaption>{chart}</figure>\n"


def _feature_table(group: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (record["name"], record["category"], _nats(record["increase"]), _nats(record["spread"]), _ends(record))
        for record in group
    ]
    return table(("Feature", "Category", "Increase", "Spread", "90 %"), rows, caption="The same in numbers")


def _ends(record: Mapping[str, Any]) -> str:
    ends = record["interval"]
    return f"{_nats(ends[0])} to {_nats(ends[1])}" if ends else DASH


def _nats(value: float | None) -> str:
    return number(value, 4)
