from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ohlcv_factory.bars.resample import higher_bars
from ohlcv_factory.features.catalogue import find
from ohlcv_factory.features.feature import Category
from ohlcv_factory.testing.features import check_feature


def planted(column, lookback: int = 20):
    """A feature as its author would declare it."""
    made = Category("planted")
    made.feature("planted", formula="", lookback=lookback)(column)
    return made.features[0]


def whole_series_score(inputs):
    return (inputs.close - inputs.close.mean()) / inputs.close.std()


def centred_mean(inputs):
    return np.convolve(inputs.close, np.ones(5) / 5.0, mode="same") / inputs.close


def left_labelled_hour(inputs):
    higher, _ = higher_bars(inputs.bars, 3600)
    begun = np.searchsorted(higher.time_ns, inputs.bars.time_ns, side="right") - 1
    return higher.close[begun] / inputs.close


def last_volume(inputs):
    return np.where(inputs.volume > 0, inputs.log_return, np.nan)


def bars_since_start(inputs):
    return np.arange(len(inputs), dtype=np.float64)


def narrow(inputs):
    return inputs.close.astype(np.float32)


@pytest.mark.parametrize("column", [whole_series_score, centred_mean, left_labelled_hour])
def test_a_column_that_reads_later_bars_is_caught(plain, column):
    with pytest.raises(AssertionError, match=r"planted, bar \d+ \(2024-.*give another value|later bars change"):
        check_feature(planted(column), *plain)


def test_a_column_that_depends_on_the_start_is_caught(plain):
    with pytest.raises(AssertionError, match="a later start changes it by 300, allowed"):
        check_feature(planted(bars_since_start), *plain)


def test_a_look_back_that_is_too_short_is_caught(plain):
    check_feature(find("ema_21"), *plain)
    with pytest.raises(AssertionError, match=r"ema_21, bar 3[0-9]+ .*: a later start changes it by"):
        check_feature(replace(find("ema_21"), lookback=30), *plain)


def test_a_missing_value_without_volume_is_caught(plain):
    with pytest.raises(AssertionError, match=r"planted, bar 2900 .*: it is not finite after its look-back"):
        check_feature(planted(last_volume), *plain)


def test_a_column_of_another_type_is_caught(plain):
    with pytest.raises(AssertionError, match="dtype float32, expected float64"):
        check_feature(planted(narrow), *plain)


def test_too_few_bars_are_refused(plain):
    bars, calendar = plain
    with pytest.raises(AssertionError, match="the check needs 420 bars, got 400"):
        check_feature(planted(lambda inputs: inputs.close), bars.head(400), calendar)
