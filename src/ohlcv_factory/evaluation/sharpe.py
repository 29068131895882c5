"""The Sharpe ratio and how much of it is evidence: intervals, PSR, DSR, and the track record that it takes.

Probabilities and track records are computed per session, never annualised: they are not linear in the ratio.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from ohlcv_factory.errors import UsageError
from ohlcv_factory.evaluation.significance import (
    Difference,
    Interval,
    Statistic,
    bootstrap_interval,
    paired_differences,
)

MIN_SESSIONS = 2
MIN_MOMENT_SESSIONS = 4
"""Fewest sessions that have an unbiased kurtosis."""
TINY = 1e-12
"""A resampled variance below this share of the sample's is none."""
CONFIDENCE = 0.95


def sharpe_ratio(daily: np.ndarray, sessions_per_year: float) -> float | None:
    """Annualised Sharpe ratio of daily net P&L `(S,)`; None under 2 sessions or without variation (Lo 2002)."""
    if len(daily) < MIN_SESSIONS or np.ptp(daily) == 0:
        return None
    return float(daily.mean() / daily.std(ddof=1) * math.sqrt(sessions_per_year))


def sharpe_interval(daily: np.ndarray, sessions_per_year: float, *, seed: int = 0) -> Interval | None:
    """90 % interval of the annualised Sharpe ratio by stationary block bootstrap of sessions."""
    if sharpe_ratio(daily, sessions_per_year) is None:
        return None
    return bootstrap_interval(sharpe_columns(daily), annualised_sharpe(len(daily), sessions_per_year), seed=seed)


def sharpe_difference(
    first: np.ndarray, second: np.ndarray, sessions_per_year: float, *, seed: int = 0
) -> Difference | None:
    """Annualised Sharpe ratio of the first P&L `(S,)` less the second's of the same sessions; None where one has none.

    Both are resampled by the same blocks of sessions (Ledoit and Wolf 2008). Raises DataError (65) for other lengths.
    """
    if sharpe_ratio(first, sessions_per_year) is None or sharpe_ratio(second, sessions_per_year) is None:
        return None
    columns = sharpe_columns(first), sharpe_columns(second)
    return paired_differences(*columns, {"sharpe": annualised_sharpe(len(first), sessions_per_year)}, seed=seed)[
        "sharpe"
    ]


def sharpe_columns(daily: np.ndarray) -> np.ndarray:
    """P&L in units of its deviation, and its square: `(S, 2)`; zeros where it never varies.

    A mean near 1 keeps the difference of squares exact.
    """
    scaled = daily / (daily.std() if np.ptp(daily) else np.inf)
    return np.stack([scaled, scaled**2], axis=1)


def annualised_sharpe(count: int, sessions_per_year: float) -> Statistic:
    """The annualised ratio of `count` sessions from the means of `sharpe_columns`; NaN without variation."""

    def ratio(means: np.ndarray) -> np.ndarray:
        variance = (means[:, 1] - means[:, 0] ** 2) * count / (count - 1)
        deviation = np.sqrt(np.where(variance > TINY, variance, np.nan))
        return np.asarray(means[:, 0] / deviation * math.sqrt(sessions_per_year))

    return ratio


@dataclass(frozen=True)
class SharpeMoments:
    """What the uncertainty of a Sharpe ratio follows from, per session."""

    ratio: float
    """Mean over population deviation, not annualised."""
    skewness: float
    kurtosis: float
    """3 for a normal distribution."""
    count: int
    """Sessions."""

    @classmethod
    def of(cls, daily: np.ndarray) -> Self | None:
        """Moments of daily net P&L `(S,)`, skewness and kurtosis unbiased; None under 4 sessions or without variation."""
        count = len(daily)
        if count < MIN_MOMENT_SESSIONS or np.ptp(daily) == 0:
            return None
        scaled = (daily - daily.mean()) / daily.std()
        third, fourth = (scaled**3).mean(), (scaled**4).mean() - 3
        skewness = third * math.sqrt(count * (count - 1)) / (count - 2)
        excess = ((count + 1) * fourth + 6) * (count - 1) / ((count - 2) * (count - 3))
        return cls(float(daily.mean() / daily.std()), float(skewness), float(excess + 3), count)

    @property
    def variance(self) -> float | None:
        """Of the estimated ratio, times the number of sessions; None where moments contradict a normal limit."""
        value = 1 - self.skewness * self.ratio + (self.kurtosis - 1) / 4 * self.ratio**2
        return value if value > 0 else None


def probabilistic_sharpe_ratio(moments: SharpeMoments, benchmark: float = 0.0) -> float | None:
    """PSR: the probability that the true ratio per session lies above `benchmark` (Bailey and López de Prado 2012).

    >>> probabilistic_sharpe_ratio(SharpeMoments(0.1, 0.0, 3.0, 251))
    0.942...
    """
    if moments.variance is None:
        return None
    return _normal_share((moments.ratio - benchmark) * math.sqrt(moments.count - 1) / math.sqrt(moments.variance))


def expected_maximum_sharpe(trials: int, variance: float) -> float:
    """Largest ratio to expect of `trials` independent ones without skill, in the unit of `variance` (their spread).

    0 for a single trial. Raises UsageError (2) for no trial or a negative variance.
    """
    if trials < 1 or not variance >= 0:
        raise UsageError(
            f"a maximum needs at least 1 trial and a variance of 0 or more, got {trials} and {variance}.",
            help="count every fit, tuning trial and threshold choice",
        )
    if trials == 1:
        return 0.0
    upper, further = (_normal_quantile(1 - 1 / (trials * factor)) for factor in (1.0, math.e))
    return math.sqrt(variance) * ((1 - np.euler_gamma) * upper + np.euler_gamma * further)


def deflated_sharpe_ratio(moments: SharpeMoments, trials: int, variance: float) -> float | None:
    """DSR: the PSR above what the best of `trials` models without skill would show (Bailey and López de Prado 2014).

    variance: of the trials' ratios **per session**; an annualised one is divided by the sessions per year first.
    """
    return probabilistic_sharpe_ratio(moments, expected_maximum_sharpe(trials, variance))


def minimum_track_record(
    moments: SharpeMoments, benchmark: float = 0.0, *, confidence: float = CONFIDENCE
) -> float | None:
    """Sessions after which such a ratio lies above `benchmark` with `confidence`; None for one that does not lie above.

    Bailey and López de Prado (2012). Compare with `moments.count`: the difference is what is still missing.
    """
    if moments.ratio <= benchmark or moments.variance is None:
        return None
    return 1 + moments.variance * (_normal_quantile(confidence) / (moments.ratio - benchmark)) ** 2


def deflated_track_record(
    moments: SharpeMoments, trials: int, variance: float, *, confidence: float = CONFIDENCE
) -> float | None:
    """Sessions after which such a ratio is above the best of `trials` without skill with `confidence`; None at 0 or below.

    `variance` is that of the trials' ratios per session over `moments.count` sessions; over more of them it falls as
    that of chance does, with the number of sessions. For one trial it is the minimum track record.
    """
    if moments.ratio <= 0 or moments.variance is None:
        return None
    chance = expected_maximum_sharpe(trials, variance) * math.sqrt(moments.count - 1)
    needed = chance + _normal_quantile(confidence) * math.sqrt(moments.variance)
    return 1 + (needed / moments.ratio) ** 2


def _normal_share(z: float) -> float:
    from scipy.special import ndtr

    return float(ndtr(z))


def _normal_quantile(share: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(share))
