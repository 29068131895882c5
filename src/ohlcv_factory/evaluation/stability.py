"""Do scores differ between blocks of time by more than chance alone would make them?

Every score of a block comes with an interval. If the true score were the same in all blocks, their spread would be that
of chance; what lies beyond is drift. Cochran's Q weighs the squared distances from the weighted mean by each block's own
precision, and I² = (Q - (k - 1)) / Q, never below 0, is the share of the spread that chance does not explain
(Higgins and Thompson 2002). A stable score is not a good one: a coin is stable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ohlcv_factory.evaluation.classification import PROBABILITY_FLOOR
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.evaluation.scorecard import outlasting_block
from ohlcv_factory.evaluation.significance import NORMAL_QUANTILE, Interval, bootstrap_interval

MIN_BLOCKS = 3
GRADES = (("A", 0.25), ("B", 0.50), ("C", 0.75), ("D", 1.0))
"""Upper end of I² of each grade: the marks low, moderate and high of Higgins et al. 2003."""


@dataclass(frozen=True)
class Stability:
    """How the scores of k blocks differ. Grade, share and chance are None where fewer than 3 have an interval."""

    grade: str | None
    """A: no more than chance would do; D: at least three quarters of the spread is drift."""
    beyond_chance: float | None
    """I², 0 to 1. Of a handful of blocks it is itself uncertain, hence the p-value beside it."""
    p_value: float | None
    """How often chance alone makes at least this spread: the tail of chi² with k - 1 degrees of freedom beyond Q."""
    spread: float | None
    """Standard deviation over the blocks."""
    chance: float | None
    """The standard deviation that chance alone would give: root mean square of the blocks' own errors."""
    blocks: int
    """Blocks with a score and an interval."""


def stability(values: Sequence[float | None], intervals: Sequence[Sequence[float] | None]) -> Stability:
    """Compare scores by their 90 % intervals.

    >>> stability([0.1, 0.2, 0.3], [(-0.2, 0.4), (-0.1, 0.5), (0.0, 0.6)]).grade
    'A'
    """
    known = [
        (value, (ends[1] - ends[0]) / (2 * NORMAL_QUANTILE))
        for value, ends in zip(values, intervals, strict=True)
        if value is not None and ends is not None and ends[1] > ends[0]
    ]
    if len(known) < MIN_BLOCKS:
        return Stability(None, None, None, _spread([value for value, _ in known]), None, len(known))
    from scipy.special import chdtrc

    found, errors = np.array(known).T
    weight = 1 / errors**2
    distance = float((weight * (found - np.average(found, weights=weight)) ** 2).sum())
    share = max(0.0, 1 - (len(known) - 1) / distance) if distance > 0 else 0.0
    chance = float(np.sqrt(np.mean(errors**2)))
    by_chance = float(chdtrc(len(known) - 1, distance))
    return Stability(_grade(share), share, by_chance, _spread(found), chance, len(known))


def log_loss_skill(
    predictions: Predictions, class_shares: np.ndarray, uniqueness: np.ndarray, *, seed: int = 0
) -> tuple[float | None, Interval | None]:
    """Log-loss of the training rows' class shares less that of the model, and its interval; above 0 the model knows more.

    In nats, on the scored rows of n predictions; `class_shares` `(3,)`, `uniqueness` `(n,)`. Unlike the log-loss it can be
    compared between times in which classes are more or less mixed. None without a scored row.
    """
    scored = np.flatnonzero(predictions.scored)
    rows = scored[np.argsort(predictions.index["time_ns"][scored], kind="stable")]
    if not len(rows):
        return None, None
    gain = log_loss_gain(predictions, rows, class_shares)
    symbols = len(np.unique(predictions.index["symbol_code"][rows]))
    block = outlasting_block(uniqueness[rows], symbols)
    interval = bootstrap_interval(gain[:, None], lambda means: means[:, 0], block_length=block, seed=seed)
    return float(gain.mean()), interval


def log_loss_gain(predictions: Predictions, rows: np.ndarray, class_shares: np.ndarray) -> np.ndarray:
    """log p(truth) of the model less that of the class shares `(3,)`, in nats, for some scored rows."""
    truth = predictions.truth[rows]
    given, shares = predictions.probabilities[rows, truth], np.asarray(class_shares, dtype=np.float64)[truth]
    return np.asarray(_log(given) - _log(shares))


def summarised(blocks: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Of every number in equally shaped flat blocks: mean, spread, lowest, highest and how many blocks define it."""
    names = [
        name
        for name in blocks[0]
        if not name.endswith("_interval") and all(block[name] is None or _is_number(block[name]) for block in blocks)
    ]
    return {name: _summary([block[name] for block in blocks]) for name in names}


def _summary(values: Sequence[float | None]) -> dict[str, Any]:
    found = [float(value) for value in values if value is not None]
    if not found:
        return {"mean": None, "spread": None, "low": None, "high": None, "blocks": 0}
    return {
        "mean": float(np.mean(found)),
        "spread": _spread(found),
        "low": min(found),
        "high": max(found),
        "blocks": len(found),
    }


def _spread(values: Sequence[float] | np.ndarray) -> float | None:
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def _grade(share: float) -> str:
    return next(grade for grade, limit in GRADES if share < limit or limit == 1.0)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _log(probabilities: np.ndarray) -> np.ndarray:
    return np.asarray(np.log(np.clip(probabilities, PROBABILITY_FLOOR, 1.0)))
