from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from ohlcv_factory.bars.sessions import CALENDARS
from ohlcv_factory.errors import DataError, UnknownNameError
from ohlcv_factory.features.catalogue import available, catalogue, category_of, compute, find, warm_up
from ohlcv_factory.features.timeframes import frame_of
from ohlcv_factory.testing.features import check_feature

NAMES = [feature.name for feature in catalogue()]


SLOW_FRAMES = ("4h", "1d")
SCALED = """
    sma_10 sma_20 sma_50 sma_100 sma_200 ema_9 ema_21 ema_50 atr_7 atr_14 atr_21 bb_middle bb_upper bb_lower kc_middle
    kc_upper kc_lower volume_sma_20 obv obv_sma_20 vwap dollar_volume dollar_volume_sma_10 dollar_volume_sma_20 supertrend
    micro_amihud micro_amihud_10 micro_amihud_20 micro_roll_spread micro_kyle_lambda
    close_15m close_30m close_1h close_4h close_1d open high low close volume
"""


@pytest.mark.parametrize("name", [name for name in NAMES if frame_of(name) not in SLOW_FRAMES])
@pytest.mark.parametrize("market", ["plain", "rough"])
def test_every_feature_keeps_the_contract(request, market, name):
    check_feature(find(name), *request.getfixturevalue(market))


@pytest.mark.parametrize("name", [name for name in NAMES if frame_of(name) in SLOW_FRAMES])
def test_every_feature_of_long_bars_keeps_the_contract(hourly, name):
    check_feature(find(name), *hourly)


def test_names_are_unique_and_every_category_has_some():
    assert len(set(NAMES)) == len(NAMES)
    assert Counter(feature.category for feature in catalogue()) == {
        "returns": 16,
        "bar_shape": 7,
        "averages": 16,
        "momentum": 15,
        "volatility": 28,
        "volume": 13,
        "trend": 10,
        "calendar": 11,
        "regime": 2,
        "microstructure": 17,
        "wavelets": 18,
        "multi_timeframe": 45,
        "raw": 7,
    }


def test_only_the_clock_is_known_in_advance():
    known = {feature.name for feature in catalogue() if feature.role == "known"}
    calendar = {feature.name for feature in catalogue() if feature.category == "calendar"}
    assert known == calendar | {"utc_day", "utc_minute"}


def test_scale_free_columns_do_not_change_when_prices_and_volumes_are_doubled(rough, hourly):
    on_rough = [name for name in NAMES if frame_of(name) not in SLOW_FRAMES]
    changed = {*changed_by_doubling(*rough, on_rough), *changed_by_doubling(*hourly, set(NAMES) - set(on_rough))}
    assert changed == {feature.name for feature in catalogue() if not feature.scale_free}
    assert changed == set(SCALED.split())


def test_volume_is_read_only_by_features_that_say_so(month):
    bars, calendar = month
    other = replace(bars, volume=bars.volume[::-1].copy())
    before, after = compute(bars, calendar, NAMES), compute(other, calendar, NAMES)
    moved = {
        name
        for name, left, right in zip(NAMES, before.T, after.T, strict=True)
        if not np.array_equal(left, right, equal_nan=True)
    }
    assert moved == {feature.name for feature in catalogue() if feature.needs_volume}


def test_the_matrix_is_float32_in_rows_with_the_columns_asked_for(plain):
    bars, calendar = plain
    matrix = compute(bars, calendar, ["rsi_14", "return_1", "rsi_14_15m"])
    assert matrix.dtype == np.float32
    assert matrix.flags.c_contiguous
    assert matrix.shape == (3000, 3)
    np.testing.assert_array_equal(matrix[:, 1], find_column("return_1", bars, calendar))


def test_a_column_does_not_depend_on_its_company(plain):
    bars, calendar = plain
    whole = compute(bars, calendar, NAMES)
    for name in NAMES[::-9]:
        np.testing.assert_array_equal(compute(bars, calendar, [name])[:, 0], whole[:, NAMES.index(name)])


def test_each_prefix_gives_the_same_bytes(rough):
    bars, calendar = rough
    whole = compute(bars, calendar, NAMES)
    for count in (1, 2, 30, 2600, 3000):
        assert compute(bars.head(count), calendar, NAMES).tobytes() == whole[:count].tobytes()


def test_a_value_that_is_not_finite_is_refused_with_feature_time_and_value(plain):
    bars, calendar = plain
    broken = replace(bars, close=bars.close.copy())
    broken.close[200] = np.inf
    with pytest.raises(DataError) as caught:
        compute(broken, calendar, ["return_5"])
    assert caught.value.what == "WALK: return_5 is inf at 2024-01-01T16:40:00Z, bar 200."
    assert "5 bars" in caught.value.help


def test_an_unknown_column_is_refused_with_the_nearest_name(plain):
    with pytest.raises(UnknownNameError, match="Did you mean 'rsi_14'"):
        compute(*plain, ["rsi_13"])


def test_without_volume_its_features_are_left_out_with_the_reason(plain):
    bars, calendar = plain
    found = available(replace(bars, volume=np.zeros(len(bars))), calendar, ())
    assert found.left_out["mfi_14"] == "the bars carry no volume"
    assert not any(find(name).needs_volume for name in found.names)
    assert set(found.names) | set(found.left_out) == set(NAMES)


def test_a_timeframe_whose_warm_up_eats_more_than_a_tenth_is_left_out(plain):
    """Hourly bars warm up in 170 hours: 2040 five-minute bars, more than a tenth of 3000; 15 minutes need 510."""
    found = available(*plain)
    assert found.left_out["rsi_14_1h"] == "its warm-up of 2040 bars is more than 10 % of 3000 bars"
    assert found.left_out["rsi_14_15m"] == "its warm-up of 510 bars is more than 10 % of 3000 bars"
    assert not any(name.endswith(("_15m", "_30m", "_1h")) for name in found.names)


def test_a_timeframe_must_be_a_larger_multiple_of_the_bar(hand):
    bars = hand([1.0] * 10, bar_seconds=1800)
    found = available(bars, CALENDARS["always_open"])
    assert found.left_out["rsi_14_15m"] == "15m is not a larger multiple of the bar size, 1800 s"
    assert found.left_out["rsi_14_30m"] == "30m is not a larger multiple of the bar size, 1800 s"


def test_only_the_timeframes_asked_for_are_offered(hand):
    bars = hand([1.0] * 10_000)
    names = available(bars, CALENDARS["always_open"], ("15min",)).names
    assert "rsi_14_15m" in names
    assert "rsi_14_30m" not in names
    with pytest.raises(UnknownNameError, match="Unknown timeframe '2h'"):
        available(bars, CALENDARS["always_open"], ("2h",))


def test_regular_hours_are_left_out_where_every_hour_is_one(hand):
    bars = hand([1.0] * 10)
    assert available(bars, CALENDARS["always_open"]).left_out["is_rth"] == "every hour is a regular one"
    assert "is_rth" in available(bars, CALENDARS["nyse"]).names


def test_a_clock_that_these_bars_see_stand_still_is_left_out(hand):
    hourly = available(hand([1.0] * 10, bar_seconds=3600), CALENDARS["nyse"]).left_out
    assert hourly["minute_sin"] == "bars of 1h see this clock stand still"
    assert "hour_sin" not in hourly
    daily = available(hand([1.0] * 10, bar_seconds=86_400), CALENDARS["nyse"]).left_out
    assert {"minute_cos", "hour_cos", "is_rth", "session_ny", "minutes_since_open"} <= set(daily)
    assert "dayofweek_sin" not in daily


def test_warm_up_is_the_longest_look_back_in_base_bars():
    assert warm_up([], 300) == 0
    assert warm_up(["return_5", "close_to_sma_50"], 300) == 49
    assert warm_up(["return_5", "price_to_vwap"], 300) == 288
    assert warm_up(["adx_14", "rsi_14_1h"], 300) == 170 * 12


def test_a_category_is_known_for_every_column_and_other_for_the_rest():
    assert category_of("rsi_14") == "momentum"
    assert category_of("rsi_14_1h") == "multi_timeframe"
    assert category_of("moon_phase") == "other"


def find_column(name, bars, calendar):
    return compute(bars, calendar, [name])[:, 0]


def changed_by_doubling(bars, calendar, names):
    """Columns that differ when every price and volume is twice as large."""
    doubled = replace(bars, **{name: 2.0 * getattr(bars, name) for name in ("open", "high", "low", "close", "volume")})
    once, twice = (compute(each, calendar, list(names)).T for each in (bars, doubled))
    return [
        name
        for name, left, right in zip(names, once, twice, strict=True)
        if not np.allclose(left, right, rtol=1e-4, atol=1e-6 * np.nanstd(left), equal_nan=True)
    ]
