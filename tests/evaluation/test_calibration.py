from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import check_grad

from ohlcv_factory.errors import DataError
from ohlcv_factory.evaluation import calibration
from ohlcv_factory.evaluation.calibration import IDENTITY, Calibrator, fit_calibrator
from ohlcv_factory.evaluation.classification import log_loss


def drawn(probabilities, seed):
    uniform = np.random.default_rng(seed).random((len(probabilities), 1))
    return (probabilities.cumsum(axis=1) < uniform).sum(axis=1).clip(0, 2)


def test_temperature_two_takes_square_roots_and_bias_multiplies():
    # sqrt(0.64, 0.32, 0.04) = 0.8, 0.5657, 0.2; sum 1.5657
    np.testing.assert_allclose(
        Calibrator(2.0).apply(np.array([[0.64, 0.32, 0.04]])), [[0.510958, 0.361302, 0.127739]], atol=1e-6
    )
    doubled = Calibrator(1.0, (np.log(2.0), 0.0, -np.log(2.0))).apply(np.array([[0.25, 0.5, 0.25]]))
    np.testing.assert_allclose(doubled, [[0.5 / 1.125, 0.5 / 1.125, 0.125 / 1.125]])


def test_fit_recovers_a_known_temperature_and_bias():
    known = Calibrator(1.8, (0.3, -0.5, 0.2))
    raw = np.random.default_rng(0).dirichlet([1.0, 1.0, 1.0], 60_000)
    found = fit_calibrator(raw, drawn(known.apply(raw), 1))
    assert found.temperature == pytest.approx(1.8, abs=0.05)
    assert found.bias == pytest.approx((0.3, -0.5, 0.2), abs=0.03)
    assert sum(found.bias) == pytest.approx(0.0, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 80))
def test_fit_is_never_worse_than_identity_on_its_own_rows(seed, count):
    generator = np.random.default_rng(seed)
    raw, truth = generator.dirichlet([0.3, 0.3, 0.3], count), generator.integers(0, 3, count)
    assert log_loss(truth, fit_calibrator(raw, truth).apply(raw)) <= log_loss(truth, raw)


def test_a_class_that_never_occurs_leaves_identity():
    raw = np.random.default_rng(0).dirichlet([1.0, 1.0, 1.0], 50)
    assert fit_calibrator(raw, np.tile([0, 2], 25)) is IDENTITY


def test_identity_passes_probabilities_to_the_bit():
    raw = np.random.default_rng(0).dirichlet([1.0, 1.0, 1.0], 50)
    assert IDENTITY.apply(raw).tobytes() == raw.tobytes()


def test_a_row_has_the_same_bytes_alone_in_any_batch_and_in_any_layout():
    raw = np.random.default_rng(4).dirichlet([0.2, 0.2, 0.2], 300)
    calibrator = Calibrator(1.7, (0.4, -0.1, -0.3))
    whole = calibrator.apply(raw)
    for size in (1, 2, 3, 5, 7, 64, 129):
        parts = [calibrator.apply(raw[start : start + size]) for start in range(0, 300, size)]
        assert np.concatenate(parts).tobytes() == whole.tobytes()
    assert calibrator.apply(np.asfortranarray(raw)).tobytes() == whole.tobytes()
    assert calibrator.apply(raw[::3]).tobytes() == whole[::3].tobytes()


def test_zero_probabilities_stay_finite_and_rows_sum_to_one():
    fitted = Calibrator(0.05, (5.0, -5.0, 0.0)).apply(np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))
    np.testing.assert_allclose(fitted.sum(axis=1), 1.0)
    assert np.isfinite(fitted).all()


def test_json_brings_back_the_same_calibrator():
    calibrator = Calibrator(1 / 3, (0.1, 0.2, -0.30000000000000004))
    assert Calibrator.from_plain(json.loads(json.dumps(calibrator.plain()))) == calibrator


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"kind": "isotonic", "temperature": 1.0, "bias": [0, 0, 0]},
        {"kind": "temperature_bias", "temperature": 0.0, "bias": [0.0, 0.0, 0.0]},
        {"kind": "temperature_bias", "temperature": 1.0, "bias": [0.0, float("nan"), 0.0]},
        {"kind": "temperature_bias", "temperature": 1.0, "bias": [0.0, 0.0]},
    ],
)
def test_a_damaged_state_is_refused(state):
    with pytest.raises(DataError):
        Calibrator.from_plain(state)


def test_gradient_is_the_slope_of_the_loss():
    generator = np.random.default_rng(0)
    logs, outcome = np.log(generator.dirichlet([1.0, 1.0, 1.0], 40)), np.eye(3)[generator.integers(0, 3, 40)]
    error = check_grad(
        lambda point: calibration._loss_and_gradient(point, logs, outcome)[0],
        lambda point: calibration._loss_and_gradient(point, logs, outcome)[1],
        np.array([0.7, 0.2, -0.4]),
    )
    assert error < 1e-6
