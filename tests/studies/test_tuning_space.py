from __future__ import annotations

import pytest

from ohlcv_factory.errors import UnknownNameError, UsageError
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.studies.tuning_settings import TuningConfig
from ohlcv_factory.studies.tuning_space import config_with, default_values, range_of, space_of
from ohlcv_factory.training.settings import TrainerConfig


class Recorder:
    """A trial that notes what is asked of it, and gives the lowest value or the last choice."""

    def __init__(self):
        self.asked = []

    def suggest_int(self, name, low, high, *, log=False):
        self.asked.append(("int", name, low, high, log))
        return low

    def suggest_float(self, name, low, high, *, log=False):
        self.asked.append(("float", name, low, high, log))
        return low

    def suggest_categorical(self, name, choices):
        self.asked.append(("choice", name, tuple(choices)))
        return choices[-1]


def space(model="logistic", settings=None, **tuning):
    return space_of(TrainerConfig(model_name=model, **(settings or {})), TuningConfig.parse(tuning))


def drawn(dimensions):
    trial = Recorder()
    values = {each.name: each.draw(trial) for each in dimensions}
    return values, trial.asked


def test_ranges_are_those_that_stand_on_the_models_fields():
    values, asked = drawn(space("random_forest"))
    assert asked == [
        ("int", "n_estimators", 100, 600, False),
        ("int", "max_depth", 4, 20, False),
        ("int", "min_samples_split", 2, 100, True),
        ("int", "min_samples_leaf", 1, 100, True),
        ("choice", "max_features", ("sqrt", "log2", 0.3)),
    ]
    assert values["max_features"] == 0.3
    assert drawn(space("logistic"))[1] == [("float", "C", 1e-4, 100.0, True)]


def searched():
    """The models with ranges on their fields."""
    for name, entry in ModelRegistry.entries().items():
        fields = ModelRegistry.model_class(name).Config.model_fields.values() if entry.installed else ()
        if any("search" in (field.json_schema_extra or {}) for field in fields):
            yield name


@pytest.mark.parametrize("name", list(searched()))
def test_every_range_of_every_model_holds_values_that_its_field_allows(name):
    values, _ = drawn(space(name))
    assert values
    assert set(values) <= set(ModelRegistry.model_class(name).Config.model_fields)


def test_a_recipe_narrows_replaces_and_adds_ranges():
    ranges = {"max_depth": {"low": 2, "high": 3}, "feature_set": ["all", "neural_optimal"]}
    narrowed = space("random_forest", space=ranges)
    asked = drawn(narrowed)[1]
    assert ("int", "max_depth", 2, 3, False) in asked
    assert asked[-1] == ("choice", "feature_set", ("all", "neural_optimal"))
    assert len(asked) == 6


def test_only_leaves_the_others_at_their_values():
    assert [each.name for each in space("random_forest", only=["max_depth", "scaling"])] == ["max_depth", "scaling"]
    assert space("logistic", only=["scaling"])[0].default == "standard"


def test_a_value_that_the_recipe_gives_is_not_drawn():
    names = [each.name for each in space("random_forest", {"model": {"max_depth": 3}})]
    assert "max_depth" not in names
    with pytest.raises(UsageError, match="max_depth is given and to be drawn"):
        space("random_forest", {"model": {"max_depth": 3}}, only=["max_depth"])


def test_lists_are_drawn_as_text_and_come_back_as_tuples():
    pytest.importorskip("torch")
    (stacks,) = space("nbeats", only=["stack_types"])
    values, asked = drawn([stacks])
    assert asked[0][2] == ('["trend", "seasonality"]', '["generic", "generic"]')
    assert values == {"stack_types": ("generic", "generic")}
    assert stacks.told('["trend", "seasonality"]') == ("trend", "seasonality")


def test_the_lookback_of_a_network_can_be_drawn():
    pytest.importorskip("torch")
    assert drawn(space("gru", only=["lookback"]))[1] == [("int", "lookback", 30, 120, False)]
    with pytest.raises(UsageError, match="lookback is given and to be drawn"):
        space("gru", {"sequence_length": 40}, only=["lookback"])


@pytest.mark.parametrize(
    ("tuning", "words"),
    [
        ({"space": {"Cc": [1, 2]}}, "Unknown field of logistic 'Cc'. Did you mean 'C'?"),
        ({"only": ["feature_sets"]}, "Unknown field of logistic 'feature_sets'. Did you mean 'feature_set'?"),
        ({"only": ["feature_set"]}, "feature_set has no range of its own"),
        ({"only": ["max_iter"]}, "max_iter has no range of its own"),
        ({"space": {"C": {"low": 0, "high": 1}}}, "tune.space.C: input should be greater than 0, got 0"),
        ({"space": {"max_iter": {"low": 1.5, "high": 3}}}, "tune.space.max_iter: input should be a valid integer"),
        ({"space": {"scaling": ["robust", "minmax"]}}, "tune.space.scaling: .*got 'minmax'"),
        ({"space": {"k_up": {"low": 1, "high": 2}}}, "k_up decides the labels, and scores on other labels cannot be"),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_name(tuning, words):
    with pytest.raises(UsageError, match=words.replace("?", r"\?")):
        space("logistic", **tuning)


def test_an_unknown_field_is_an_unknown_name():
    with pytest.raises(UnknownNameError) as caught:
        space("logistic", only=["c"])
    assert caught.value.help == "offered: C, feature_set, max_iter, scaling, solver"


def test_a_config_takes_what_was_drawn_and_refuses_what_contradicts():
    config = TrainerConfig(model_name="lightgbm", model={"max_depth": 3})
    changed = config_with(config, {"num_leaves": 5, "scaling": "robust"})
    assert (changed.model, changed.scaling) == ({"max_depth": 3, "num_leaves": 5}, "robust")
    with pytest.raises(UsageError, match="num_leaves"):
        config_with(config, {"num_leaves": 1})


def test_the_first_trial_has_the_defaults_that_lie_in_their_ranges():
    found = space("random_forest", only=["max_depth", "min_samples_leaf"], space={"max_depth": {"low": 2, "high": 4}})
    assert [each.holds_default for each in found] == [False, True]
    assert default_values(found) == {"min_samples_leaf": 10}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.01:10:log", {"low": 0.01, "high": 10, "log": True}),
        ("3:6", {"low": 3, "high": 6, "log": False}),
        ("sqrt, 0.3,true", ["sqrt", 0.3, True]),
    ],
)
def test_a_range_in_words(text, expected):
    assert range_of(text) == expected


def test_a_range_with_too_many_parts_is_refused():
    with pytest.raises(UsageError, match="a range is LOW:HIGH, LOW:HIGH:log or A,B,C, got '1:2:3'"):
        range_of("1:2:3")
