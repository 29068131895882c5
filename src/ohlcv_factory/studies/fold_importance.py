"""Permutation importance over the folds of a study: the mean, and how far the folds agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from ohlcv_factory.evaluation.significance import TAILS
from ohlcv_factory.features.catalogue import category_of

Entry = Mapping[str, Any]
"""An `Importance` of one fold as plain JSON: subject, name, increase."""


def fold_importance(folds: Sequence[Sequence[Entry]]) -> list[dict[str, Any]]:
    """Every subject that some fold read, JSON-ready: features, categories, then stretches of bars, each most important first.

    `increase` is the mean over the folds in nats of log-loss, `spread` their standard deviation, `interval` the 90 %
    interval of the mean by Student's t over the folds; both are None in a single fold. A fold that left a column out did
    without it: its increase is 0. `folds` holds each fold's own. Bars stand in the order of the window, the newest first.
    """
    by_fold = [{(entry["subject"], entry["name"]): entry["increase"] for entry in fold} for fold in folds]
    subjects = dict.fromkeys(subject for found in by_fold for subject in found)
    records = [_record(*subject, [found.get(subject, 0.0) for found in by_fold]) for subject in subjects]
    features, categories, bars = (
        [record for record in records if record["subject"] == subject] for subject in ("feature", "category", "bars")
    )
    return [*_ranked(features), *_ranked(categories), *bars]


def _record(subject: str, name: str, increases: Sequence[float]) -> dict[str, Any]:
    spread = stdev(increases) if len(increases) > 1 else None
    return {
        "subject": subject,
        "name": name,
        "category": category_of(name) if subject == "feature" else None,
        "increase": fmean(increases),
        "spread": spread,
        "interval": None if spread is None else _interval(fmean(increases), spread, len(increases)),
        "folds": list(increases),
    }


def _interval(mean: float, spread: float, folds: int) -> list[float]:
    from scipy.special import stdtrit

    return [float(mean + stdtrit(folds - 1, share) * spread / folds**0.5) for share in TAILS]


def _ranked(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(records, key=lambda record: (-record["increase"], record["name"]))
