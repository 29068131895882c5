from __future__ import annotations

import json

import numpy as np
import pytest

from ohlcv_factory.errors import DataError
from ohlcv_factory.evaluation.calibrators import IDENTITY, Calibrator, Curve, Isotonic, Sigmoid, TemperatureBias

STEPS = Isotonic(
    (Curve((0.1, 0.4), (0.2, 0.6)), Curve((0.3,), (0.5,)), Curve((0.0, 0.5, 0.5, 1.0), (0.1, 0.1, 0.3, 0.3)))
)
EACH = [TemperatureBias(1.7, (0.4, -0.1, -0.3)), Sigmoid((0.5, 2.0, 1.0), (0.1, -0.2, 1 / 3)), STEPS]


def test_temperature_two_takes_square_roots_and_bias_multiplies():
    # sqrt(0.64, 0.32, 0.04) = 0.8, 0.5657, 0.2; sum 1.5657
    np.testing.assert_allclose(
        TemperatureBias(2.0).apply(np.array([[0.64, 0.32, 0.04]])), [[0.510958, 0.361302, 0.127739]], atol=1e-6
    )
    doubled = TemperatureBias(1.0, (np.log(2.0), 0.0, -np.log(2.0))).apply(np.array([[0.25, 0.5, 0.25]]))
    np.testing.assert_allclose(doubled, [[0.5 / 1.125, 0.5 / 1.125, 0.125 / 1.125]])


def test_identity_passes_probabilities_to_the_bit():
    raw = np.random.default_rng(0).dirichlet([1.0, 1.0, 1.0], 50)
    assert IDENTITY.apply(raw).tobytes() == raw.tobytes()


@pytest.mark.parametrize("calibrator", EACH)
def test_a_row_has_the_same_bytes_alone_in_any_batch_and_in_any_layout(calibrator):
    raw = np.random.default_rng(4).dirichlet([0.2, 0.2, 0.2], 300)
    whole = calibrator.apply(raw)
    for size in (1, 2, 3, 5, 7, 64, 129):
        parts = [calibrator.apply(raw[start : start + size]) for start in range(0, 300, size)]
        assert np.concatenate(parts).tobytes() == whole.tobytes()
    assert calibrator.apply(np.asfortranarray(raw)).tobytes() == whole.tobytes()
    assert calibrator.apply(raw[::3]).tobytes() == whole[::3].tobytes()


def test_zero_probabilities_stay_finite_and_rows_sum_to_one():
    fitted = TemperatureBias(0.05, (5.0, -5.0, 0.0)).apply(np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))
    np.testing.assert_allclose(fitted.sum(axis=1), 1.0)
    assert np.isfinite(fitted).all()


@pytest.mark.parametrize("calibrator", EACH)
def test_certain_probabilities_give_finite_rows_that_sum_to_one(calibrator):
    fitted = calibrator.apply(np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]))
    np.testing.assert_allclose(fitted.sum(axis=1), 1.0)
    assert (fitted > 0).all()


def test_a_sigmoid_by_hand():
    # logits 0, -ln 4, -ln 4 (of 0.2): slope 1 and intercept 0, ln 4, 0 give 0.5, 0.5, 0.2; sum 1.2
    found = Sigmoid((1.0, 1.0, 1.0), (0.0, np.log(4.0), 0.0)).apply(np.array([[0.5, 0.2, 0.2]]))
    np.testing.assert_allclose(found, [[0.5 / 1.2, 0.5 / 1.2, 0.2 / 1.2]])


def test_a_curve_is_straight_between_its_knots_and_level_beyond():
    found = STEPS.apply(np.array([[0.25, 0.2, 0.55], [0.0, 0.9, 0.1]]))
    np.testing.assert_allclose(found, [np.array([0.4, 0.5, 0.3]) / 1.2, np.array([0.2, 0.5, 0.1]) / 0.8])


@pytest.mark.parametrize("calibrator", [*EACH, IDENTITY, TemperatureBias(1 / 3, (0.1, 0.2, -0.30000000000000004))])
def test_json_brings_back_the_same_calibrator(calibrator):
    assert Calibrator.from_plain(json.loads(json.dumps(calibrator.plain()))) == calibrator


def test_a_file_of_the_first_version_still_loads():
    stored = {"kind": "temperature_bias", "temperature": 1.25, "bias": [0.5, -0.25, -0.25]}
    assert Calibrator.from_plain(stored) == TemperatureBias(1.25, (0.5, -0.25, -0.25))


ONE = {"x": [0.5], "y": [0.5]}


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"kind": "beta", "temperature": 1.0, "bias": [0, 0, 0]},
        {"kind": ["isotonic"]},
        {"kind": "temperature_bias", "temperature": 0.0, "bias": [0.0, 0.0, 0.0]},
        {"kind": "temperature_bias", "temperature": 1.0, "bias": [0.0, float("nan"), 0.0]},
        {"kind": "temperature_bias", "temperature": 1.0, "bias": [0.0, 0.0]},
        {"kind": "temperature_bias", "temperature": "warm", "bias": [0.0, 0.0, 0.0]},
        {"kind": "sigmoid", "slope": [1.0, 1.0, 1.0]},
        {"kind": "sigmoid", "slope": [1.0, 1.0, 500.0], "intercept": [0.0, 0.0, 0.0]},
        {"kind": "isotonic", "curves": [ONE, ONE]},
        {"kind": "isotonic", "curves": [ONE, ONE, {"x": [], "y": []}]},
        {"kind": "isotonic", "curves": [ONE, ONE, {"x": [0.1, 0.2], "y": [0.6, 0.5]}]},
        {"kind": "isotonic", "curves": [ONE, ONE, {"x": [0.1], "y": [0.0]}]},
        {"kind": "isotonic", "curves": [ONE, ONE, {"x": [0.1, 0.2], "y": [0.5]}]},
    ],
)
def test_a_damaged_state_is_refused(state):
    with pytest.raises(DataError):
        Calibrator.from_plain(state)
