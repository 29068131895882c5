"""Feature sets: which columns a model family reads, as data.

A rule is a column name (`rsi_14`), a prefix with a star (`return_*`) or a category (`category:momentum`). A set takes
the columns of its `include` rules that no `exclude` rule names, in the catalogue's order.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache

from ohlcv_factory.errors import UsageError, unknown_name
from ohlcv_factory.features.catalogue import catalogue

CATEGORY_RULE = "category:"
SIMPLE_RETURNS = ("return_1", "return_5", "return_10", "return_20", "return_60")
CYCLICAL_TIME = ("hour_*", "dayofweek_*")


@dataclass(frozen=True)
class FeatureSet:
    """A named choice of columns; `version` grows whenever the choice changes."""

    name: str
    version: int
    purpose: str
    include: tuple[str, ...]
    exclude: tuple[str, ...] = ()


SETS = {
    chosen.name: chosen
    for chosen in (
        FeatureSet(
            "boosting_optimal",
            version=1,
            purpose="trees and other tabular models: every scale-free idea once",
            include=(
                "return_1",
                "return_5",
                "return_10",
                "return_20",
                "return_60",
                "range_pct",
                "co_ratio",
                "clv",
                "return_autocorr_lag*",
                "close_to_sma_*",
                "close_to_ema_*",
                "rsi_14",
                "macd_line",
                "macd_signal",
                "macd_hist",
                "stoch_k",
                "stoch_d",
                "williams_r",
                "cci_20",
                "mfi_14",
                "atr_pct_7",
                "atr_pct_14",
                "atr_pct_21",
                "bb_width",
                "bb_position",
                "kc_position",
                "hvol_*",
                "parkinson_vol",
                "garman_klass_vol",
                "rogers_satchell_vol",
                "yang_zhang_vol",
                "return_skew_*",
                "return_kurt_*",
                "log_volume_change",
                "volume_ratio",
                "volume_zscore",
                "obv_change_20",
                "price_to_vwap",
                "adx_14",
                "plus_di_14",
                "minus_di_14",
                "close_slope_*",
                "close_r2_*",
                "category:calendar",
                "volatility_regime",
                "trend_regime",
                "micro_roll_spread_pct",
                "micro_cs_spread",
                "micro_rel_spread_20",
                "micro_volume_imbalance",
                "micro_cum_imbalance_20",
                "micro_trade_intensity_50",
                "micro_efficiency_*",
                "micro_vol_ratio",
                "wavelet_close_approx",
                "wavelet_close_d1",
                "wavelet_close_d2",
                "wavelet_close_d3",
                "wavelet_close_energy_d1",
                "wavelet_close_energy_d2",
                "wavelet_close_energy_d3",
                "wavelet_close_energy_ratio",
                "wavelet_volume_d1",
                "wavelet_volume_d2",
                "wavelet_volume_d3",
                "close_to_now_15m",
                "range_pct_15m",
                "volume_ratio_15m",
                "rsi_14_15m",
                "macd_hist_15m",
                "atr_pct_14_15m",
                "bb_position_15m",
                "close_to_now_30m",
                "range_pct_30m",
                "volume_ratio_30m",
                "rsi_14_30m",
                "macd_hist_30m",
                "atr_pct_14_30m",
                "bb_position_30m",
                "close_to_now_1h",
                "range_pct_1h",
                "volume_ratio_1h",
                "rsi_14_1h",
                "macd_hist_1h",
                "atr_pct_14_1h",
                "bb_position_1h",
            ),
        ),
        FeatureSet(
            "neural_optimal",
            version=1,
            purpose="recurrent, convolutional and state-space networks: bounded or normalised columns",
            include=(
                "log_return_*",
                "range_pct",
                "clv",
                "rsi_14",
                "stoch_k",
                "stoch_d",
                "mfi_14",
                "macd_hist",
                "atr_pct_14",
                "bb_width",
                "bb_position",
                "kc_position",
                "hvol_*",
                "garman_klass_vol",
                "volume_ratio",
                "volume_zscore",
                "obv_change_20",
                "price_to_vwap",
                "adx_14",
                "plus_di_14",
                "minus_di_14",
                "close_r2_20",
                "micro_efficiency_*",
                "micro_cum_imbalance_20",
                "wavelet_close_approx",
                "wavelet_close_d1",
                "wavelet_close_d2",
                "wavelet_close_d3",
                "wavelet_close_energy_d1",
                "wavelet_close_energy_d2",
                "wavelet_close_energy_d3",
                "wavelet_close_energy_ratio",
                "wavelet_volume_d1",
                "wavelet_volume_d2",
                "wavelet_volume_d3",
                "hour_*",
                "dayofweek_*",
                "is_rth",
            ),
        ),
        FeatureSet(
            "transformer_raw",
            version=1,
            purpose="transformers that learn their own features: returns, volume and the clock",
            include=(*SIMPLE_RETURNS, "log_return_*", "volume_ratio", *CYCLICAL_TIME),
        ),
        FeatureSet(
            "ohlcv_returns",
            version=1,
            purpose="linear and N-BEATS models: the bar itself against the one before",
            include=("log_open_change", "log_high_change", "log_low_change", "log_return_1", "log_volume_change"),
        ),
    )
}


def feature_set(name: str) -> FeatureSet:
    """The set of that name. Raises UnknownNameError (2)."""
    if name not in SETS:
        raise unknown_name("feature set", name, SETS)
    return SETS[name]


def resolve(set_name: str, columns: Collection[str]) -> tuple[str, ...]:
    """The set's columns among `columns`, those that a dataset carries, in the catalogue's order.

    Columns that the dataset had to leave out are passed over. Raises UnknownNameError (2) for an unknown set, and
    UsageError (2) for a rule that matches nothing in the catalogue or when no column is left.
    """
    chosen = feature_set(set_name)
    names = tuple(name for name in select(chosen) if name in columns)
    if not names:
        raise UsageError(
            f"feature set {set_name!r} finds none of its columns among the {len(columns)} at hand.",
            where="tried " + ", ".join(chosen.include),
            help=_nearest_help(chosen.include, sorted(columns)),
        )
    return names


@cache
def select(chosen: FeatureSet) -> tuple[str, ...]:
    """Every column of the catalogue that the set asks for. Raises UsageError (2) for a rule that matches nothing."""
    included, excluded = _matched(chosen, chosen.include), _matched(chosen, chosen.exclude)
    return tuple(feature.name for feature in catalogue() if feature.name in included - excluded)


def _matched(chosen: FeatureSet, rules: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for rule in rules:
        names = _matches(rule)
        if not names:
            offered = [feature.name for feature in catalogue()]
            raise UsageError(
                f"rule {rule!r} matches no feature.",
                where=f"feature set {chosen.name}",
                help=_nearest_help([rule], offered),
            )
        found |= names
    return found


def _matches(rule: str) -> set[str]:
    if rule.startswith(CATEGORY_RULE):
        category = rule.removeprefix(CATEGORY_RULE)
        return {feature.name for feature in catalogue() if feature.category == category}
    if rule.endswith("*"):
        return {feature.name for feature in catalogue() if feature.name.startswith(rule[:-1])}
    return {feature.name for feature in catalogue() if feature.name == rule}


def _nearest_help(rules: Sequence[str], offered: Sequence[str]) -> str:
    close = [name for rule in rules for name in difflib.get_close_matches(rule.rstrip("*_"), offered, n=3, cutoff=0.5)]
    return "nearest: " + ", ".join(dict.fromkeys(close)) if close else "see `ohlcv-factory features list`"
