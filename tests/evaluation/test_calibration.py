from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import check_grad
from sklearn.calibration import _sigmoid_calibration
from sklearn.isotonic import IsotonicRegression

from ohlcv_factory.evaluation import calibration
from ohlcv_factory.evaluation.calibration import (
    choose_calibrator,
    fit_isotonic,
    fit_sigmoid,
    fit_temperature,
    held_out_losses,
)
from ohlcv_factory.evaluation.calibrators import IDENTITY, Isotonic, Sigmoid, TemperatureBias, logit
from ohlcv_factory.evaluation.classification import log_loss


def drawn(probabilities, seed):
    uniform = np.random.default_rng(seed).random((len(probabilities), 1))
    return (probabilities.cumsum(axis=1) < uniform).sum(axis=1).clip(0, 2)


def test_fit_recovers_a_known_temperature_and_bias():
    known = TemperatureBias(1.8, (0.3, -0.5, 0.2))
    raw = np.random.default_rng(0).dirichlet([1.0, 1.0, 1.0], 60_000)
    found = fit_temperature(raw, drawn(known.apply(raw), 1))
    assert found.temperature == pytest.approx(1.8, abs=0.05)
    assert found.bias == pytest.approx((0.3, -0.5, 0.2), abs=0.03)
    assert sum(found.bias) == pytest.approx(0.0, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 80))
def test_fit_is_never_worse_than_identity_on_its_own_rows(seed, count):
    generator = np.random.default_rng(seed)
    raw, truth = generator.dirichlet([0.3, 0.3, 0.3], count), generator.integers(0, 3, count)
    assert log_loss(truth, fit_temperature(raw, truth).apply(raw)) <= log_loss(truth, raw)


def test_gradient_is_the_slope_of_the_loss():
    generator = np.random.default_rng(0)
    logs, outcome = np.log(generator.dirichlet([1.0, 1.0, 1.0], 40)), np.eye(3)[generator.integers(0, 3, 40)]
    error = check_grad(
        lambda point: calibration._loss_and_gradient(point, logs, outcome)[0],
        lambda point: calibration._loss_and_gradient(point, logs, outcome)[1],
        np.array([0.7, 0.2, -0.4]),
    )
    assert error < 1e-6


def test_a_binary_gradient_is_the_slope_of_its_loss():
    generator = np.random.default_rng(0)
    logits, target = generator.normal(size=40), generator.random(40)
    error = check_grad(
        lambda point: calibration._binary_loss_and_gradient(point, logits, target)[0],
        lambda point: calibration._binary_loss_and_gradient(point, logits, target)[1],
        np.array([0.7, 0.2]),
    )
    assert error < 1e-6


def case(count=3000, seed=0):
    raw = np.random.default_rng(seed).dirichlet([1.5, 1.0, 1.0], count)
    return raw, drawn(TemperatureBias(1.8, (0.3, -0.5, 0.2)).apply(raw), seed + 1)


def test_sigmoids_are_platts_of_scikit_learn():
    raw, truth = case()
    found = fit_sigmoid(raw, truth)
    for code in range(3):
        slope, intercept = _sigmoid_calibration(logit(raw[:, code]), (truth == code).astype(np.int64))
        assert (found.slope[code], found.intercept[code]) == pytest.approx((-slope, -intercept), abs=1e-4)


def test_isotonic_curves_are_those_of_scikit_learn_to_the_bit():
    raw, truth = case()
    found, least = fit_isotonic(raw, truth), 1 / (len(truth) + 2)
    fresh = np.random.default_rng(9).dirichlet([1.0, 1.0, 1.0], 500)
    expected = np.empty((500, 3))
    for code in range(3):
        model = IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip").fit(raw[:, code], truth == code)
        expected[:, code] = model.predict(fresh[:, code])
        assert np.interp(fresh[:, code], *found.curves[code]).tobytes() == expected[:, code].tobytes()
    total = expected[:, 0] + expected[:, 1] + expected[:, 2]
    assert found.apply(fresh).tobytes() == (expected / total[:, None]).tobytes()


@pytest.mark.parametrize("fit", [fit_temperature, fit_sigmoid, fit_isotonic])
def test_a_class_that_never_occurs_leaves_identity(fit):
    raw = np.random.default_rng(0).dirichlet([1.0, 1.0, 1.0], 50)
    assert fit(raw, np.tile([0, 2], 25)) is IDENTITY


@pytest.mark.parametrize("fit", [fit_temperature, fit_sigmoid, fit_isotonic])
def test_every_kind_helps_on_rows_that_it_never_saw(fit):
    raw, truth = case(6000)
    calibrated = fit(raw[:3000], truth[:3000]).apply(raw[3000:])
    assert log_loss(truth[3000:], calibrated) < log_loss(truth[3000:], raw[3000:]) - 0.03


HOUR = 3_600_000_000_000


def moments(count, label_bars=5):
    time_ns = np.arange(count) * HOUR
    return time_ns, time_ns + label_bars * HOUR


def test_where_the_smallest_kind_is_right_it_stays():
    raw, truth = case()
    choice = choose_calibrator("auto", raw, truth, *moments(len(truth)))
    assert choice.method == "temperature"
    assert choice.calibrator == fit_temperature(raw, truth)
    assert list(choice.losses) == ["temperature", "sigmoid", "isotonic"]


def test_a_bend_that_no_temperature_makes_is_left_to_the_curves():
    raw = np.random.default_rng(1).dirichlet([1.0, 1.0, 1.0], 6000)
    bent = np.where(raw[:, [0]] > 0.5, [[0.9, 0.05, 0.05]], [[0.1, 0.45, 0.45]])
    choice = choose_calibrator("auto", raw, drawn(bent, 2), *moments(6000))
    assert isinstance(choice.calibrator, Isotonic)
    assert choice.losses["isotonic"] < choice.losses["temperature"]


def test_the_kind_asked_for_is_the_kind_made():
    raw, truth = case()
    kinds = {"temperature": TemperatureBias, "sigmoid": Sigmoid, "isotonic": Isotonic}
    for method, kind in kinds.items():
        choice = choose_calibrator(method, raw, truth, *moments(len(truth)))
        assert isinstance(choice.calibrator, kind)
        assert choice.losses == {}
    assert choose_calibrator("none", raw, truth, *moments(len(truth))).calibrator is IDENTITY


def test_few_rows_get_the_smallest_kind_without_a_choice():
    raw, truth = case(999)
    choice = choose_calibrator("auto", raw, truth, *moments(999))
    assert choice.losses == {}
    assert choice.calibrator == fit_temperature(raw, truth)


def test_held_out_rows_are_purged_of_labels_that_reach_into_or_out_of_them(monkeypatch):
    seen = []
    monkeypatch.setattr(calibration, "FITS", {"only": lambda raw, truth: seen.append(raw[:, 0]) or IDENTITY})
    row = np.arange(1000.0)
    raw = np.column_stack([row, row, row])
    held_out_losses(raw, np.zeros(1000, np.int64), *moments(1000, label_bars=5))
    assert len(seen) == 5
    for fold, rows in enumerate(seen):
        start, stop = 200 * fold, 200 * fold + 200
        expected = [r for r in range(1000) if r + 5 < start or r > stop - 1 + 5]
        assert rows.tolist() == expected


def test_rows_of_one_moment_are_held_out_together(monkeypatch):
    seen = []
    monkeypatch.setattr(calibration, "FITS", {"only": lambda raw, truth: seen.append(len(raw)) or IDENTITY})
    time_ns = np.repeat(np.arange(503) * HOUR, 2)  # two symbols
    raw = np.full((1006, 3), 1 / 3)
    held_out_losses(raw, np.zeros(1006, np.int64), time_ns, time_ns)
    assert all(count % 2 == 0 for count in seen)
