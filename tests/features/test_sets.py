from __future__ import annotations

from pathlib import Path

import pytest

from ohlcv_factory.config import read_yaml
from ohlcv_factory.errors import UnknownNameError, UsageError
from ohlcv_factory.features.catalogue import catalogue, find
from ohlcv_factory.features.sets import (
    FeatureSet,
    SetRules,
    all_sets,
    builtin_sets,
    feature_set,
    read_sets,
    resolve,
    select,
)

NAMES = [feature.name for feature in catalogue()]
CONTENTS = read_yaml(Path(__file__).with_name("feature_sets.yaml")).values
SIZES = {
    "boosting_optimal": (80, 120),
    "neural_optimal": (40, 60),
    "transformer_raw": (15, 15),
    "itransformer_optimal": (30, 60),
    "ensemble_base": (60, 80),
    "ohlcv_returns": (5, 5),
    "close_only": (1, 1),
    "ohlcv_raw": (5, 5),
    "ohlcv_clock": (7, 7),
}
"""Fewest and most columns, from the specification."""


def rules(*include, **more):
    return SetRules(include=include, **more)


@pytest.mark.parametrize("name", SIZES)
def test_sets_have_exactly_this_content(name):
    assert resolve(name, NAMES) == tuple(CONTENTS[name])


@pytest.mark.parametrize("name", SIZES)
def test_sets_have_the_size_that_their_models_want(name):
    fewest, most = SIZES[name]
    assert fewest <= len(CONTENTS[name]) <= most


def test_no_set_is_without_a_test():
    assert set(builtin_sets()) == set(SIZES) == set(CONTENTS)


@pytest.mark.parametrize(
    ("alias", "name"), [("nbeats_raw", "ohlcv_returns"), ("linear_raw", "ohlcv_returns"), ("chronos_raw", "close_only")]
)
def test_a_set_is_found_by_its_other_names(alias, name):
    assert feature_set(alias) == feature_set(name)


def test_only_the_raw_sets_hold_columns_that_depend_on_the_unit_of_price_or_volume():
    holding = {
        name for name, chosen in builtin_sets().items() if not all(find(one).scale_free for one in select(chosen))
    }
    assert holding == {"close_only", "ohlcv_raw", "ohlcv_clock"}


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


@pytest.mark.parametrize("rule", ["garmin_*", "*_17m", "rsi_41", "category:momentun"])
def test_a_rule_that_matches_nothing_is_refused(rule):
    with pytest.raises(UsageError, match="matches no feature"):
        resolve("mine", NAMES, {"mine": rules("return_1", rule)})


def test_a_broken_rule_names_the_nearest_columns():
    with pytest.raises(UsageError) as caught:
        resolve("mine", NAMES, {"mine": rules("rsi_41")})
    assert caught.value.where == "feature set mine"
    assert "rsi_14" in caught.value.help


def test_a_broken_category_names_all_categories():
    with pytest.raises(UsageError, match=r"rule 'category:momentun' .*\n.*\n.*momentum, volatility"):
        resolve("mine", NAMES, {"mine": rules("category:momentun")})


def test_an_exclude_rule_must_match_too():
    with pytest.raises(UsageError, match="'mooon' matches no feature"):
        resolve("mine", NAMES, {"mine": rules("return_1", exclude=("mooon",))})


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (rules("return_1", "rsi_14"), ["return_1", "rsi_14"]),
        (rules("hvol_*", exclude=("hvol_10",)), ["hvol_20", "hvol_60"]),
        (rules("rsi_*_1h"), ["rsi_14_1h"]),
        (rules("category:regime"), ["volatility_regime", "trend_regime"]),
        (rules("set:ohlcv_returns", "rsi_14", exclude=("log_*_change",)), ["log_return_1", "rsi_14"]),
        (rules("vwap", "price_to_vwap", scale_free=True), ["price_to_vwap"]),
    ],
)
def test_a_set_of_ones_own_takes_what_its_rules_say(own, expected):
    assert list(resolve("mine", NAMES, {"mine": own})) == expected


def test_a_set_of_ones_own_may_not_take_a_built_in_name():
    for name in ("neural_optimal", "linear_raw"):
        with pytest.raises(UsageError, match=f"feature set '{name}' is built in"):
            all_sets({name: rules("return_1")})


def test_the_digest_changes_with_the_rules_and_with_nothing_else():
    first = FeatureSet(name="mine", include=("return_1",))
    assert FeatureSet(name="other", include=("return_1",), purpose="another").digest == first.digest
    assert FeatureSet(name="mine", include=("return_5",)).digest != first.digest
    assert FeatureSet(name="mine", include=("return_1",), scale_free=True).digest != first.digest


@pytest.mark.parametrize("head", ["feature_sets:\n  mine:\n    include: [rsi_14]\n", "mine:\n  include: [rsi_14]\n"])
def test_a_file_of_sets_is_read_with_or_without_its_head_line(tmp_path, head):
    path = tmp_path / "sets.yaml"
    path.write_text(head)
    document = read_sets(path)
    assert document.values == {"feature_sets": {"mine": {"include": ["rsi_14"]}}}
    assert document.lines["feature_sets.mine.include"] == head.count("\n")
