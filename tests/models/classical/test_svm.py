from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.svm import SVC

from ohlcv_factory.errors import UsageError
from ohlcv_factory.models.classical.svm import kernel_width, pair_scores, purged_blocks, thinned_rows
from ohlcv_factory.models.given_rows import array_samples
from ohlcv_factory.models.registry import ModelRegistry


def rows(labels: list[int]) -> Any:
    return array_samples(np.zeros((len(labels), 1), dtype=np.float32), np.array(labels))


@pytest.mark.parametrize("classes", [2, 3])
def test_pair_scores_are_those_of_libsvm(parts: Any, classes: int) -> None:
    known = parts.train.take(parts.train.y < classes)
    machine = SVC(gamma=0.2, decision_function_shape="ovo").fit(known.X, known.y, sample_weight=known.weight)
    theirs = machine.decision_function(parts.scored.X).reshape(len(parts.scored), -1)
    assert np.abs(pair_scores(machine, parts.scored.X) - theirs).max() < 1e-10


def test_thinning_keeps_class_shares_and_spreads_rows_evenly_in_time() -> None:
    samples = rows([0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2])
    assert thinned_rows(samples, 6).tolist() == [1, 3, 5, 7, 9, 11]


def test_thinning_goes_by_time_not_by_place() -> None:
    samples = rows([0, 0, 0, 0])
    samples.index["time_ns"] = [3, 2, 1, 0]
    assert thinned_rows(samples, 2).tolist() == [2, 0]
    assert thinned_rows(samples, 4).tolist() == [3, 2, 1, 0]


def test_a_rare_class_survives_thinning() -> None:
    samples = rows([0] * 99 + [1])
    assert samples.y[thinned_rows(samples, 10)].tolist() == [0] * 9 + [1]


def test_blocks_are_purged_of_label_spans_that_touch_them() -> None:
    samples = rows([0, 1, 0, 1, 0, 1])
    samples = replace(samples, label_end=samples.index["time_ns"] + 1)
    blocks = [(block.tolist(), others.tolist()) for block, others in purged_blocks(samples, 3)]
    assert blocks == [([0, 1], [3, 4, 5]), ([2, 3], [0, 5]), ([4, 5], [0, 1, 2])]


@pytest.mark.parametrize(("gamma", "width"), [("scale", 1 / (2 * 4)), ("auto", 0.5), (0.3, 0.3)])
def test_the_kernel_width_follows_scikit_learns_rules(gamma: str | float, width: float) -> None:
    assert kernel_width(gamma, np.array([[2, -2], [-2, 2]], dtype=np.float32)) == width


def test_constant_features_do_not_divide_by_zero() -> None:
    assert kernel_width("scale", np.ones((3, 2), dtype=np.float32)) == 0.5


def test_more_rows_than_the_limit_are_thinned_and_the_report_says_so(parts: Any) -> None:
    metrics = ModelRegistry.create("svm", {"max_rows": 300}).fit(parts.train)
    assert metrics.history["rows_given"] == [600.0]
    assert 297 <= metrics.history["rows_used"][0] <= 300
    assert metrics.history["rows_calibrated"] == metrics.history["rows_used"]


def test_learning_noise_by_heart_does_not_make_it_sure(parts: Any) -> None:
    noise = np.random.default_rng(1).permutation(parts.train.y)
    fitted = ModelRegistry.create("svm", {"C": 100.0})
    fitted.fit(replace(parts.train, y=noise))
    given = fitted.predict(parts.scored).class_probabilities[np.arange(200), parts.scored.y]
    # A map fitted on the machine's own training rows gives 3.5 here, class shares alone give 1.1.
    assert -np.log(given).mean() < 1.2


def test_a_class_that_no_fold_can_learn_falls_back_to_scores_on_all_rows() -> None:
    generator = np.random.default_rng(0)
    y = np.array([0, 1] * 60 + [2] * 3)
    X = (generator.standard_normal((123, 3)) + y[:, None]).astype(np.float32)
    metrics = ModelRegistry.create("svm").fit(array_samples(X, y))
    assert metrics.history["rows_calibrated"] == [123.0]


@pytest.mark.parametrize("key", ["kernel", "probability", "multi_class", "random_state"])
def test_a_key_that_cannot_act_is_refused_by_name(key: str) -> None:
    with pytest.raises(UsageError, match=f"{key} cannot act here: "):
        ModelRegistry.create("svm", {key: True})
