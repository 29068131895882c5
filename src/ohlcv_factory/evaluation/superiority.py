"""Is the best of several models better than a benchmark, when it was chosen because it looked best?

White's reality check (2000) and Hansen's test of superior predictive ability (2005), by stationary block bootstrap. The
hypothesis under test: no model is better than the benchmark.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ohlcv_factory.errors import DataError
from ohlcv_factory.evaluation.significance import RESAMPLES, bootstrap_means, default_block_length

MIN_ROWS = 20
TINY = 1e-20
"""A model whose variance is below this share of the largest never differs from the benchmark."""


@dataclass(frozen=True)
class Superiority:
    """p-values: how often chance alone would show as good a best model. Small ones speak for the best model."""

    best: int
    """Column of the model with the largest studentised gain."""
    lower: float
    """SPA that counts poor models as if equal to the benchmark only where they looked better: a lower bound."""
    consistent: float
    """SPA, Hansen's consistent p-value: clearly poor models do not matter. The one to read."""
    upper: float
    """SPA that takes every model as equal to the benchmark: an upper bound, which poor models push up."""
    reality_check: float
    """White's: as `upper`, on gains that are not studentised."""


def superior_ability(
    gains: np.ndarray, *, block_length: int | None = None, resamples: int = RESAMPLES, seed: int = 0
) -> Superiority:
    """Test m models on T days or rows: gains `(T, m)` are each model's performance less the benchmark's.

    Performance is net P&L per session, or minus a loss per row; rows in time order. Raises DataError (65) for under 20
    rows, for more models than rows (the table is transposed) and for numbers that are not finite.
    """
    gains = _checked(gains)
    block = block_length or default_block_length(len(gains))
    means = gains.mean(axis=0)
    deviation = np.sqrt(_long_run_variance(gains, block))
    resampled = bootstrap_means(gains, block_length=block, resamples=resamples, seed=seed)
    differs = deviation > math.sqrt(TINY) * deviation.max()
    if not differs.any():
        return Superiority(0, 1.0, 1.0, 1.0, 1.0)
    scale, root = np.where(differs, deviation, np.inf), math.sqrt(len(gains))
    poor = means < -scale / root * math.sqrt(2 * math.log(math.log(len(gains))))
    centres = (np.maximum(means, 0.0), np.where(poor, 0.0, means), means)
    lower, consistent, upper = (_p_value(means / scale, (resampled - centre) / scale) for centre in centres)
    best = int(np.argmax(means / scale))
    return Superiority(best, lower, consistent, upper, reality_check=_p_value(means, resampled - means))


def _checked(gains: np.ndarray) -> np.ndarray:
    gains = np.asarray(gains, dtype=np.float64)
    if gains.ndim != 2 or len(gains) < max(MIN_ROWS, gains.shape[1]) or not gains.shape[1]:
        raise DataError(
            f"gains must have shape (days, models), at least {MIN_ROWS} days and no more models than days, "
            f"got {gains.shape}.",
            help="one column per model, one row per session in time order",
        )
    if not np.isfinite(gains).all():
        row, model = np.argwhere(~np.isfinite(gains))[0]
        raise DataError(f"gains must be finite, got {gains[row, model]} in row {row} of model {model}.", help="drop it")
    return gains


def _p_value(own: np.ndarray, resampled: np.ndarray) -> float:
    """Share of resamples `(r, m)` whose best model does no worse than the best of `own` `(m,)`; no gain at all is 1."""
    return float((np.maximum(resampled.max(axis=1), 0.0) >= max(own.max(), 0.0)).mean())


def _long_run_variance(gains: np.ndarray, block_length: int) -> np.ndarray:
    """Of the mean of each column times T, by the kernel that the stationary bootstrap has (Politis and Romano 1994)."""
    count = len(gains)
    covariances = _autocovariances(gains - gains.mean(axis=0))
    lag = np.arange(count)
    stay = 1 - 1 / block_length
    weight = (1 - lag / count) * stay**lag + lag / count * stay ** (count - lag)
    weight[1:] *= 2
    return np.asarray(np.maximum(weight @ covariances, 0.0))


def _autocovariances(centred: np.ndarray) -> np.ndarray:
    """`(T, m)`: sums over t of x(t) x(t + lag) / T for every lag."""
    from scipy import fft

    count = len(centred)
    padded = fft.next_fast_len(2 * count)
    spectrum = fft.rfft(centred, padded, axis=0)
    return np.asarray(fft.irfft(np.abs(spectrum) ** 2, padded, axis=0)[:count] / count)
