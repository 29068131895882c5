"""Every column against an independent oracle, to 1e-6 of the column's deviation in float64."""

from __future__ import annotations

import numpy as np
import pytest
from feature_oracles import ORACLES

from ohlcv_factory.features.catalogue import catalogue, find
from ohlcv_factory.features.feature import FeatureInputs
from ohlcv_factory.features.timeframes import frame_of

SILENT_BARS = 8
"""TA-Lib gives no %K before its %D, the ordinary wavelet transform no coefficient before its shift."""
NAMES = [feature.name for feature in catalogue()]


def test_every_column_has_an_oracle():
    assert set(NAMES) - set(ORACLES) == set()


@pytest.mark.parametrize("name", NAMES)
def test_the_column_equals_its_oracle(month, hourly, name):
    bars, calendar = hourly if frame_of(name) in ("4h", "1d") else month
    got, expected = find(name).column(FeatureInputs(bars, calendar)), ORACLES[name](bars)
    warm = find(name).lookback_bars(bars.bar_seconds)
    assert np.isfinite(got[warm:]).all()
    known = warm + np.flatnonzero(np.isfinite(expected[warm:]))
    assert len(known) >= len(bars) - warm - SILENT_BARS
    np.testing.assert_allclose(got[known], expected[known], rtol=0, atol=1e-6 * np.std(expected[known]))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "is_rth"])
def test_the_column_moves(month, hourly, name):
    bars, calendar = hourly if frame_of(name) in ("4h", "1d") else month
    got = find(name).column(FeatureInputs(bars, calendar))[find(name).lookback_bars(bars.bar_seconds) :]
    assert np.std(got) > 0.0
