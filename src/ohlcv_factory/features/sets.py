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
                *SIMPLE_RETURNS,
                "category:bar_shape",
                "close_to_sma_*",
                "close_to_ema_*",
                "category:momentum",
                "category:volatility",
                "category:volume",
                "category:trend",
                "category:calendar",
                "category:regime",
                "category:microstructure",
                "category:wavelets",
                "category:multi_timeframe",
            ),
            exclude=("atr_14", "vwap", "micro_amihud_*"),
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
                "stoch_*",
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
                "wavelet_*",
                *CYCLICAL_TIME,
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
