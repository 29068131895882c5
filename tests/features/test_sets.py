from __future__ import annotations

import pytest

from ohlcv_factory.errors import UnknownNameError, UsageError
from ohlcv_factory.features.catalogue import catalogue, find
from ohlcv_factory.features.sets import SETS, FeatureSet, resolve, select

NAMES = [feature.name for feature in catalogue()]

CONTENTS = {
    "ohlcv_returns": "log_open_change log_high_change log_low_change log_return_1 log_volume_change",
    "transformer_raw": """
        log_return_1 log_return_5 log_return_10 log_return_20 log_return_60
        return_1 return_5 return_10 return_20 return_60 volume_ratio hour_sin hour_cos dayofweek_sin dayofweek_cos
    """,
    "neural_optimal": """
        log_return_1 log_return_5 log_return_10 log_return_20 log_return_60 range_pct clv rsi_14 macd_hist
        stoch_k stoch_d mfi_14 atr_pct_14 bb_width bb_position kc_position hvol_10 hvol_20 hvol_60
        garman_klass_vol volume_ratio volume_zscore obv_change_20 price_to_vwap adx_14 plus_di_14
        minus_di_14 close_r2_20 hour_sin hour_cos dayofweek_sin dayofweek_cos is_rth micro_cum_imbalance_20
        micro_efficiency_10 micro_efficiency_20 wavelet_close_approx wavelet_close_d1 wavelet_close_d2
        wavelet_close_d3 wavelet_close_energy_d1 wavelet_close_energy_d2 wavelet_close_energy_d3
        wavelet_close_energy_ratio wavelet_volume_d1 wavelet_volume_d2 wavelet_volume_d3
    """,
    "boosting_optimal": """
        return_1 return_5 return_10 return_20 return_60 range_pct co_ratio clv return_autocorr_lag1
        return_autocorr_lag5 return_autocorr_lag10 close_to_sma_10 close_to_sma_20 close_to_sma_50
        close_to_sma_100 close_to_sma_200 close_to_ema_9 close_to_ema_21 close_to_ema_50 rsi_14 macd_line
        macd_signal macd_hist stoch_k stoch_d williams_r cci_20 mfi_14 atr_pct_7 atr_pct_14 atr_pct_21
        bb_width bb_position kc_position hvol_10 hvol_20 hvol_60 parkinson_vol garman_klass_vol
        rogers_satchell_vol yang_zhang_vol return_skew_20 return_skew_60 return_kurt_20 return_kurt_60
        log_volume_change volume_ratio volume_zscore obv_change_20 price_to_vwap adx_14 plus_di_14
        minus_di_14 close_slope_20 close_slope_60 close_r2_20 close_r2_60 hour_sin hour_cos minute_sin
        minute_cos dayofweek_sin dayofweek_cos session_asia session_london session_ny is_rth
        minutes_since_open volatility_regime trend_regime micro_roll_spread_pct micro_cs_spread
        micro_rel_spread_20 micro_volume_imbalance micro_cum_imbalance_20 micro_trade_intensity_50
        micro_efficiency_10 micro_efficiency_20 micro_vol_ratio wavelet_close_approx wavelet_close_d1
        wavelet_close_d2 wavelet_close_d3 wavelet_close_energy_d1 wavelet_close_energy_d2
        wavelet_close_energy_d3 wavelet_close_energy_ratio wavelet_volume_d1 wavelet_volume_d2
        wavelet_volume_d3 close_to_now_15m close_to_now_30m close_to_now_1h range_pct_15m range_pct_30m
        range_pct_1h volume_ratio_15m volume_ratio_30m volume_ratio_1h rsi_14_15m rsi_14_30m rsi_14_1h
        macd_hist_15m macd_hist_30m macd_hist_1h atr_pct_14_15m atr_pct_14_30m atr_pct_14_1h bb_position_15m
        bb_position_30m bb_position_1h
    """,
}


@pytest.mark.parametrize("name", CONTENTS)
def test_sets_have_exactly_this_content(name):
    assert resolve(name, NAMES) == tuple(CONTENTS[name].split())


def test_no_set_holds_a_column_that_depends_on_the_unit_of_price_or_volume():
    for chosen in SETS.values():
        assert [name for name in select(chosen) if not find(name).scale_free] == []


def test_columns_come_in_the_order_of_the_catalogue_whatever_the_order_at_hand():
    assert resolve("ohlcv_returns", NAMES[::-1]) == resolve("ohlcv_returns", NAMES)


def test_columns_that_the_dataset_left_out_are_passed_over():
    assert resolve("ohlcv_returns", ["log_return_1", "log_low_change", "rsi_14"]) == ("log_low_change", "log_return_1")


def test_an_unknown_set_is_refused_with_the_nearest_name():
    with pytest.raises(UnknownNameError, match="Did you mean 'neural_optimal'"):
        resolve("neural_optimum", NAMES)


def test_a_set_without_any_column_at_hand_is_refused_with_what_was_tried():
    with pytest.raises(UsageError) as caught:
        resolve("ohlcv_returns", ["log_return_11"])
    assert caught.value.exit_code == 2
    assert "log_open_change" in caught.value.where
    assert "log_return_11" in caught.value.help


@pytest.mark.parametrize("rule", ["garmin_*", "rsi_41", "category:momentun"])
def test_a_rule_that_matches_nothing_is_refused(rule):
    with pytest.raises(UsageError, match="matches no feature"):
        select(FeatureSet("mine", 1, "", include=("return_1", rule)))


def test_a_broken_rule_names_the_nearest_columns():
    with pytest.raises(UsageError) as caught:
        select(FeatureSet("mine", 1, "", include=("rsi_41",)))
    assert "rsi_14" in caught.value.help


def test_an_exclude_rule_must_match_too():
    with pytest.raises(UsageError, match="'mooon' matches no feature"):
        select(FeatureSet("mine", 1, "", include=("return_1",), exclude=("mooon",)))
