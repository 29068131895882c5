from __future__ import annotations

import pytest

from ohlcv_factory.errors import UsageError
from ohlcv_factory.studies.fold_scores import LABEL_SCORES, MONEY_SCORES
from ohlcv_factory.studies.settings import CrossValidationConfig
from ohlcv_factory.studies.tuning_settings import (
    BarrierTuningConfig,
    Range,
    TuningConfig,
    folds_of,
    trials_of,
)


def test_a_list_is_a_range_of_choices_and_inner_lists_are_tuples():
    tuning = TuningConfig.parse({"space": {"stack_types": [["trend", "seasonality"], ["generic", "generic"]]}})
    assert tuning.space["stack_types"].choices == (("trend", "seasonality"), ("generic", "generic"))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"low": 2, "high": 1}, "a range needs low < high, or choices; got low=2, high=1"),
        ({"low": 2}, "a range needs low < high, or choices; got low=2, high=None"),
        ({"low": 0, "high": 1, "log": True}, "a logarithmic range begins above 0, got low=0"),
        ({"low": 0, "choices": [1, 2]}, "choices stand in the place of low, high and log"),
        ([1], "at least two choices make a range, got [1]"),
        ({"low": 0, "hihg": 1}, "hihg: unknown key; did you mean 'high'?"),
    ],
)
def test_half_a_range_is_refused(given, words):
    with pytest.raises(UsageError) as caught:
        Range.parse(given) if isinstance(given, dict) else TuningConfig.parse({"space": {"C": given}})
    assert words in caught.value.what


@pytest.mark.parametrize("name", [*LABEL_SCORES, *MONEY_SCORES])
def test_every_score_with_a_direction_can_be_looked_for(name):
    assert TuningConfig(score=name).score == name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("makro_f1", "Unknown score 'makro_f1'. Did you mean 'macro_f1'?"),
        ("num_trades", "'num_trades' says how much, not how well"),
    ],
)
def test_a_score_without_a_direction_is_refused(name, words):
    with pytest.raises(UsageError, match=words):
        TuningConfig.parse({"score": name})


@pytest.mark.parametrize("name", LABEL_SCORES)
def test_barriers_are_never_compared_by_a_score_on_labels(name):
    with pytest.raises(UsageError, match=f"'{name}' is measured on labels, and other barriers are other labels"):
        BarrierTuningConfig.parse({"score": name})


def test_trials_and_folds_follow_from_the_family_where_they_are_not_given():
    families = ("boosting", "classical", "neural", "transformer", "foundation")
    assert [trials_of(TuningConfig(), family) for family in families] == [50, 30, 20, 20, 10]
    assert [folds_of(CrossValidationConfig(), family).folds for family in families] == [5, 5, 3, 3, 3]
    assert trials_of(TuningConfig(trials=7), "boosting") == 7
    assert folds_of(CrossValidationConfig(folds=4), "neural").folds == 4
    assert folds_of(CrossValidationConfig(scheme="combinatorial"), "neural").folds is None
