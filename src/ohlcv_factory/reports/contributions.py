"""SHAP values of tree models: which features move the raw score of a class, and how far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ohlcv_factory.models.explanation import BASE
from ohlcv_factory.reports.page import cards, paragraph, table
from ohlcv_factory.reports.reported_run import ReportedRun
from ohlcv_factory.reports.words import count, score
from ohlcv_factory.training.explanation import PartExplanation

TOP_FEATURES = 12
WORDS = (
    "Mean size of each feature's contribution to the raw score of a class (its SHAP value), over evenly spaced validation "
    "rows. Contributions and a base value add up exactly to the raw score, whose softmax is the probability before "
    "calibration. They say what moved the answers of this model, not whether the answers were right."
)


def contribution_tables(group: Sequence[ReportedRun]) -> str:
    """One card per run whose model says what its features contributed; empty without one."""
    told = [(run.name, _tables(run.said)) for run in group if run.said is not None]
    found = [(name, html) for name, html in told if html]
    return paragraph(WORDS) + cards(found) if found else ""


def _tables(said: PartExplanation) -> str:
    items = said.facts["items"]
    return "".join(
        _table(said.arrays[f"{name}_size"], item["axes"], said.facts["rows"])
        for name, item in items.items()
        if item["kind"] == "contributions"
    )


def _table(sizes: np.ndarray, axes: Mapping[str, Any], rows: int) -> str:
    """`sizes` `(class, contribution)`; the features with the largest mean over the classes."""
    names = [name for name in axes["contribution"] if name != BASE]
    mean = sizes[:, : len(names)].mean(axis=0)
    order = np.argsort(-mean, kind="stable")[:TOP_FEATURES].tolist()
    lines = [(names[i], score(float(mean[i])), *(score(float(value)) for value in sizes[:, i])) for i in order]
    caption = f"The first {count(len(lines))} of {count(len(names))} features, {count(rows)} rows"
    return table(("Feature", "Mean", *axes["class"]), lines, caption=caption)
