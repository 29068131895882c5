from __future__ import annotations

import json
import re

import numpy as np
import pytest

from ohlcv_factory.errors import DataError
from ohlcv_factory.models._sound_trees import Tree
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.testing.models import planted_samples

SETTINGS = {
    "lightgbm": {"n_estimators": 12},
    "xgboost": {"n_estimators": 12, "gamma": 2.0},  # some splits are pruned again
    "random_forest": {"n_estimators": 12},
}


def tree(left, right, features, count):
    return Tree(count, np.array([*left, *right], int), np.array(features, int))


@pytest.fixture(scope="module", params=SETTINGS)
def fitted(request):
    if not ModelRegistry.entry(request.param).installed:
        pytest.skip(f"{request.param} needs {ModelRegistry.entry(request.param).requires}")
    model = ModelRegistry.create(request.param, SETTINGS[request.param])
    model.fit(planted_samples(3000, 6))
    return model


def test_a_stump_and_a_leaf_alone_are_sound():
    assert tree([1], [2], [0], 3).is_sound(1)
    assert tree([], [], [], 1).is_sound(1)


@pytest.mark.parametrize(
    ("left", "right", "features", "why"),
    [
        ([0, 3], [2, 4], [0, 0], "the root is a child"),
        ([1, 1], [2, 4], [0, 0], "a node is its own child"),
        ([1, 2], [2, 4], [0, 0], "a node has two parents"),
        ([1, 3], [2, 5], [0, 0], "a child beyond the last node"),
        ([1, -3], [2, 4], [0, 0], "a child before the first node"),
        ([1, 3], [2, 4], [0, 7], "a feature beyond the last column"),
        ([1, 3], [2, 4], [-1, 0], "a feature before the first column"),
        ([1, 3], [2], [0, 0], "a child is missing"),
    ],
)
def test_what_does_not_lead_to_a_leaf_is_no_sound_tree(left, right, features, why):
    assert not tree(left, right, features, 5).is_sound(7), why


def test_what_a_library_grew_is_sound(fitted):
    fitted.check_sound("model")


def test_a_feature_that_the_rows_do_not_have_is_refused(fitted):
    names = fitted.feature_names
    fitted.feature_names = names[:1]
    try:
        with pytest.raises(DataError, match="does not lead every row to a leaf"):
            fitted.check_sound("model")
    finally:
        fitted.feature_names = names


def test_a_circle_in_a_file_of_lightgbm_is_refused():
    lightgbm = pytest.importorskip("lightgbm", reason="needs the extra boosting")
    model = ModelRegistry.create("lightgbm", SETTINGS["lightgbm"])
    model.fit(planted_samples(3000, 6))
    text = re.sub("tree_sizes=.*\n", "", model._booster.model_to_string())  # without them it reads on to the next tree
    head, _, tail = text.partition("left_child=")
    children, _, rest = tail.partition("\n")
    nodes = children.split()
    nodes[max(place for place, child in enumerate(nodes) if int(child) > 0)] = "1"  # back to where it came from
    model._booster = lightgbm.Booster(model_str=f"{head}left_child={' '.join(nodes)}\n{rest}")
    with pytest.raises(DataError, match="tree 0 does not lead every row to a leaf"):
        model.check_sound("model")


def test_a_circle_in_a_file_of_xgboost_is_refused():
    xgboost = pytest.importorskip("xgboost", reason="needs the extra boosting")
    model = ModelRegistry.create("xgboost", SETTINGS["xgboost"])
    model.fit(planted_samples(3000, 6))
    stored = json.loads(bytes(model._booster.save_raw("json")))
    grown = stored["learner"]["gradient_booster"]["model"]["trees"][1]
    inner = [place for place, child in enumerate(grown["left_children"]) if child > 0]
    grown["left_children"][inner[-1]] = inner[-2]
    model._booster = xgboost.Booster(model_file=bytearray(json.dumps(stored).encode()))
    with pytest.raises(DataError, match="tree 1 does not lead every row to a leaf"):
        model.check_sound("model")
