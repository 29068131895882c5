"""Trees that lead every row to a leaf, as a file of somebody else has to hold them.

Libraries follow the children of a node without asking where they lead: in a damaged file, or one made to do harm, they may
lead in a circle or beyond the arrays, and only for rows that no self-test holds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ohlcv_factory.errors import DataError

LEAF = -1
"""What scikit-learn and XGBoost have in the place of the children of a leaf."""


@dataclass(frozen=True)
class Tree:
    """The m inner nodes of a tree of `count` nodes, of which 0 is the root: their children and the features they ask."""

    count: int
    children: np.ndarray
    """Numbers of nodes `(2m,)`: all left ones, then all right ones."""
    features: np.ndarray
    """Columns `(m,)`, from 0 on."""
    is_numeric: bool = True
    """Whether every inner node compares a number with a threshold."""

    def is_sound(self, feature_count: int) -> bool:
        """Whether every way from the root ends at a leaf, and asks features that rows have.

        It ends where no node has two parents, and the root has none.
        """
        children, features = self.children, self.features
        if not self.is_numeric or len(children) != 2 * len(features):
            return False
        if not (((children > 0) & (children < self.count)).all() and np.bincount(children).max(initial=0) <= 1):
            return False
        return bool(((features >= 0) & (features < feature_count)).all())


def refuse_unsound(trees: Iterable[Tree], feature_count: int, where: str) -> None:
    """Raise DataError (65) naming the first tree that does not lead every row to a leaf."""
    for number, tree in enumerate(trees):
        if not tree.is_sound(feature_count):
            raise DataError(
                f"tree {number} does not lead every row to a leaf.",
                where=where,
                help="the file is damaged, or made to do harm: do not use it",
            )


def lightgbm_trees(booster: Any) -> Iterator[Tree]:
    """The trees of a LightGBM booster."""
    for block in booster.model_to_string(importance_type="split").split("\nTree=")[1:]:
        facts = dict(line.split("=", 1) for line in block.partition("\n\n")[0].splitlines() if "=" in line)
        features, kinds, left, right = (
            np.array(facts.get(name, "").split(), dtype=np.int64)
            for name in ("split_feature", "decision_type", "left_child", "right_child")
        )
        inner, children = len(features), np.concatenate([left, right])
        placed = np.where(children < 0, inner + ~children, children)  # leaves are ~0, ~1, ...
        is_numeric = facts["num_cat"] == "0" and facts.get("is_linear", "0") == "0" and not (kinds & 1).any()
        yield Tree(inner + int(facts["num_leaves"]), placed, features, is_numeric)


def xgboost_trees(booster: Any) -> Iterator[Tree]:
    """The trees of an XGBoost booster."""
    stored = json.loads(bytes(booster.save_raw("json")))
    for tree in stored["learner"]["gradient_booster"]["model"]["trees"]:
        left, right, features = (
            np.array(tree[name], dtype=np.int64) for name in ("left_children", "right_children", "split_indices")
        )
        yield _of_arrays(left, right, features, is_numeric=not any(tree["split_type"]))


def sklearn_tree(tree: Any) -> Tree:
    """One tree of a scikit-learn forest."""
    return _of_arrays(tree.children_left, tree.children_right, tree.feature)


def _of_arrays(left: np.ndarray, right: np.ndarray, features: np.ndarray, *, is_numeric: bool = True) -> Tree:
    inner = left != LEAF
    return Tree(len(left), np.concatenate([left[inner], right[inner]]), features[inner], is_numeric)
