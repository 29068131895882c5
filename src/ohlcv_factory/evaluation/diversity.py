"""How differently models err: what an ensemble can gain from them (Kuncheva and Whitaker 2003)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np


def diversity(decisions: Mapping[str, np.ndarray], truth: np.ndarray) -> list[dict[str, Any]]:
    """One entry per pair of models, in the order of the names: JSON-ready.

    decisions `(n,)` classes by model, truth `(n,)` classes. `disagreement`: share of rows on which the two decide
    differently; `correlation`: of their hits, None where one of them is always or never right; `double_fault`: share of rows
    on which both are wrong. An ensemble gains where pairs disagree and rarely fail together.
    """
    return [
        {"first": first, "second": second, **_pair(decisions[first], decisions[second], truth)}
        for first, second in combinations(decisions, 2)
    ]


def _pair(first: np.ndarray, second: np.ndarray, truth: np.ndarray) -> dict[str, float | None]:
    hits = [first == truth, second == truth]
    constant = any(hit.all() or not hit.any() for hit in hits)
    return {
        "disagreement": float((first != second).mean()),
        "correlation": None if constant else float(np.corrcoef(*hits)[0, 1]),
        "double_fault": float((~hits[0] & ~hits[1]).mean()),
    }
