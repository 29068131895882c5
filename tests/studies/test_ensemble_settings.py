from __future__ import annotations

import pytest

from ohlcv_factory.errors import UsageError
from ohlcv_factory.studies.ensemble_settings import EnsembleConfig
from ohlcv_factory.training.settings import TrainerConfig


def config(**changes):
    return EnsembleConfig.parse({"model_name": "stacking", "members": {"logistic": {}, "lightgbm": {}}, **changes})


def test_a_member_shares_horizon_seed_and_folder_and_keeps_what_differs():
    members = {"logistic": {"model": {"C": 0.1}}, "second": {"model_name": "logistic", "random_seed": 7}}
    made = config(horizon=5, random_seed=3, output_dir="somewhere", members=members).member_configs()
    first, second = made["logistic"], made["second"]
    assert (first.horizon, first.random_seed, str(first.output_dir), first.model) == (5, 3, "somewhere", {"C": 0.1})
    assert (second.model_name, second.random_seed) == ("logistic", 7)


def test_a_missing_class_that_the_ensemble_allows_is_allowed_to_its_members_too():
    made = config(allow_missing_class=True, members={"logistic": {}, "lightgbm": {"allow_missing_class": False}})
    assert [each.allow_missing_class for each in made.member_configs().values()] == [True, False]


def test_members_may_be_training_configs_or_names_and_survive_the_way_through_a_file():
    given = (TrainerConfig(model_name="logistic", balanced=True), TrainerConfig(model_name="logistic"), "lightgbm")
    made = EnsembleConfig(model_name="voting", horizon=20, members=given)
    assert list(made.members) == ["logistic", "logistic_2", "lightgbm"]
    assert made.member("logistic").balanced
    assert EnsembleConfig.parse(made.plain()) == made


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"members": {"logistic": {"horizon": 5}}}, "members.logistic.horizon: members share that of the ensemble"),
        ({"members": {"logistic": {"no_such": 5}}}, "members.logistic: no_such: unknown key"),
        ({"members": {"a.b": {}}}, "a name is letters, digits, - and _, got 'a.b'"),
        ({"feature_set": "neural_optimal"}, "feature_set: an ensemble reads predictions, not features"),
        ({"scaling": "robust"}, "scaling: an ensemble reads predictions, not features"),
        ({"refit": "all"}, "refit: an ensemble reads predictions, not features"),
        ({"cv": {"scheme": "walk_forward"}}, "cv.scheme: only kfold predicts every train row once"),
        ({"cv": {"keep_models": True}}, "`final: average_folds` keeps the models of the folds"),
    ],
)
def test_what_cannot_act_is_refused(changes, words):
    with pytest.raises(UsageError) as caught:
        config(**changes)
    assert words in caught.value.what


def test_one_member_and_an_ensemble_as_member_are_refused():
    with pytest.raises(UsageError, match=r"needs at least 2 members, got \['logistic'\]"):
        config(members={"logistic": {}}).member_configs()
    with pytest.raises(UsageError, match="member 'voting' is an ensemble itself"):
        config(members={"logistic": {}, "voting": {}}).member_configs()


def test_a_model_on_features_is_no_head():
    with pytest.raises(UsageError, match="model 'logistic' reads features, not predictions"):
        config(model_name="logistic").head()


@pytest.mark.parametrize(
    ("choose", "weights", "words"),
    [
        (
            "all",
            {"logistic": 1.0, "trees": 2.0},
            r"given for \['logistic', 'trees'\], the members are \['lightgbm', 'l",
        ),
        ("greedy", {"logistic": 1.0, "lightgbm": 2.0}, "choose: greedy leaves some of them out"),
    ],
)
def test_weights_that_cannot_be_those_of_the_members_are_refused_before_any_fit(choose, weights, words):
    voting = config(model_name="voting", choose=choose, model={"voting": "weighted", "weights": weights})
    with pytest.raises(UsageError, match=words):
        voting.head()


def test_stacking_takes_purged_folds_and_blending_one_holdout():
    stacking = config(cv={"folds": 4, "embargo_days": 1.0}, final="average_folds")
    found = stacking.scheme(stacking.head())
    assert (found.scheme, found.folds, found.embargo_days, found.keep_models) == ("kfold", 4, 1.0, True)
    blending = config(model_name="blending", model={"holdout": 0.25})
    found = blending.scheme(blending.head())
    assert (found.scheme, found.folds, found.train_share, found.keep_models) == ("walk_forward", 1, 0.75, False)
    with pytest.raises(UsageError, match="blending has one holdout and no folds, got folds=3"):
        config(model_name="blending", cv={"folds": 3}).scheme(blending.head())
