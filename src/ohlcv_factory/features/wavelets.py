"""Daubechies-4 wavelets, causal: every coefficient reads only bars up to its own.

A filter bank "with holes" (Holschneider et al. 1989) on log returns and log volume: at level j the taps stand 2^(j-1)
bars apart. At every 2^j-th bar the coefficients are those of the ordinary transform; none wraps round or is centred.
"""

from __future__ import annotations

import numpy as np

from ohlcv_factory.features.feature import Category, FeatureInputs, shared
from ohlcv_factory.features.kernels import Floats, causal_filter, ratio, window_mean, window_median
from ohlcv_factory.features.volume import VOLUME_BARS, volume_ratio

WAVELETS = Category("wavelets", windowed=True)
LEVELS = (1, 2, 3)
ENERGY_BARS = 64
NORMAL_QUARTILE = 0.6744897501960817
"""Median distance of a standard normal value from 0."""
DAUBECHIES_1988 = "Daubechies (1988), causal"
LOW_PASS = (
    -0.010597401785069032,
    0.0328830116668852,
    0.030841381835560764,
    -0.18703481171909309,
    -0.027983769416859854,
    0.6308807679298589,
    0.7148465705529157,
    0.2303778133088965,
)
HIGH_PASS = tuple(-tap if place % 2 == 0 else tap for place, tap in enumerate(reversed(LOW_PASS)))


def reach(level: int) -> int:
    """Bars that a coefficient of that level looks back: 7, 21, 49."""
    return (len(LOW_PASS) - 1) * ((1 << level) - 1)


@WAVELETS.feature(
    "wavelet_close_approx",
    formula="level-3 approximation of log returns",
    lookback=reach(3) + 1,
    unit="log ratio",
    source=DAUBECHIES_1988,
)
def close_approximation(inputs: FeatureInputs) -> Floats:
    """The slow part of the last returns."""
    return approximation(inputs, "close", 3)


@WAVELETS.feature(
    "wavelet_close_d{}",
    over=LEVELS,
    formula="level-{} detail of log returns",
    lookback=lambda level: reach(level) + 1,
    unit="log ratio",
    source=DAUBECHIES_1988,
)
def close_detail(inputs: FeatureInputs, level: int) -> Floats:
    """Returns within one octave of speed."""
    return detail(inputs, "close", level)


@WAVELETS.feature(
    "wavelet_close_energy_d{}",
    over=LEVELS,
    formula="mean of wavelet_close_d{}^2, 64 bars",
    lookback=lambda level: reach(level) + ENERGY_BARS,
    unit="squared log ratio",
    source=DAUBECHIES_1988,
)
@shared
def close_energy(inputs: FeatureInputs, level: int) -> Floats:
    """Variance of returns within one octave of speed."""
    return energy(detail(inputs, "close", level))


@WAVELETS.feature(
    "wavelet_close_energy_ratio",
    formula="wavelet_close_energy_d1 / sum of the energies of d1, d2, d3; 1/3 where no price moved",
    lookback=reach(3) + ENERGY_BARS,
    unit="0 to 1",
    source=DAUBECHIES_1988,
)
def close_energy_ratio(inputs: FeatureInputs) -> Floats:
    """Share of the fastest octave: high in noise, low in a trend."""
    return ratio(close_energy(inputs, 1), details_energy(inputs), otherwise=1.0 / 3.0)


@WAVELETS.feature(
    "wavelet_close_mad_volatility",
    formula="median of abs(wavelet_close_d1) / 0.6745, 64 bars",
    lookback=reach(1) + ENERGY_BARS,
    unit="log ratio",
    source="Donoho and Johnstone (1994), causal",
)
def close_mad_volatility(inputs: FeatureInputs) -> Floats:
    """Standard deviation of the noise in returns, blind to single jumps."""
    return window_median(np.abs(detail(inputs, "close", 1)), ENERGY_BARS) / NORMAL_QUARTILE


@WAVELETS.feature(
    "wavelet_close_trend_strength",
    formula="mean of wavelet_close_approx^2 / (the same + sum of the energies of d1, d2, d3), 64 bars; "
    "1/4 where no price moved",
    lookback=reach(3) + ENERGY_BARS,
    unit="0 to 1",
    source=DAUBECHIES_1988,
)
def close_trend_strength(inputs: FeatureInputs) -> Floats:
    """Share of the slow part in the variance of returns: 1/4 in noise, high in a trend."""
    slow = energy(approximation(inputs, "close", 3))
    return ratio(slow, slow + details_energy(inputs), otherwise=0.25)


@WAVELETS.feature(
    "wavelet_close_trend_direction",
    formula="sign of wavelet_close_approx",
    lookback=reach(3) + 1,
    unit="-1 down, 1 up",
    source=DAUBECHIES_1988,
)
def close_trend_direction(inputs: FeatureInputs) -> Floats:
    """Side of the slow part of the last returns."""
    side: Floats = np.sign(approximation(inputs, "close", 3))
    return side


@WAVELETS.feature(
    "wavelet_volume_approx",
    formula="level-3 approximation of log(1 + volume_ratio)",
    lookback=reach(3) + VOLUME_BARS - 1,
    unit="log ratio",
    source=DAUBECHIES_1988,
    needs_volume=True,
)
def volume_approximation(inputs: FeatureInputs) -> Floats:
    """The slow part of volume."""
    return approximation(inputs, "volume", 3)


@WAVELETS.feature(
    "wavelet_volume_d{}",
    over=LEVELS,
    formula="level-{} detail of log(1 + volume_ratio)",
    lookback=lambda level: reach(level) + VOLUME_BARS - 1,
    unit="log ratio",
    source=DAUBECHIES_1988,
    needs_volume=True,
)
def volume_detail(inputs: FeatureInputs, level: int) -> Floats:
    """Swings of volume within one octave of speed."""
    return detail(inputs, "volume", level)


@WAVELETS.feature(
    "wavelet_volume_energy_d{}",
    over=LEVELS,
    formula="mean of wavelet_volume_d{}^2, 64 bars",
    lookback=lambda level: reach(level) + VOLUME_BARS - 1 + ENERGY_BARS - 1,
    unit="squared log ratio",
    source=DAUBECHIES_1988,
    needs_volume=True,
)
def volume_energy(inputs: FeatureInputs, level: int) -> Floats:
    """Variance of volume within one octave of speed."""
    return energy(detail(inputs, "volume", level))


@shared
def details_energy(inputs: FeatureInputs) -> Floats:
    """Sum of the energies of the three details of log returns, shape `(n,)`."""
    fast, middle, slow = (close_energy(inputs, level) for level in LEVELS)
    return fast + middle + slow


def energy(coefficients: Floats) -> Floats:
    """Mean of the squared coefficients, 64 bars, shape `(n,)`."""
    return window_mean(coefficients * coefficients, ENERGY_BARS)


@shared
def detail(inputs: FeatureInputs, series: str, level: int) -> Floats:
    """Detail coefficients of a level, shape `(n,)`."""
    return causal_filter(approximation(inputs, series, level - 1), HIGH_PASS, 2 ** (level - 1))


@shared
def approximation(inputs: FeatureInputs, series: str, level: int) -> Floats:
    """Approximation coefficients of a level, shape `(n,)`; level 0 is the series itself."""
    if level == 0:
        return inputs.log_return if series == "close" else np.log1p(volume_ratio(inputs))
    return causal_filter(approximation(inputs, series, level - 1), LOW_PASS, 2 ** (level - 1))
