"""The rows that travel with a model say whether it is still that model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ohlcv_factory.errors import DataError, VerificationError
from ohlcv_factory.evaluation.calibrators import TemperatureBias
from ohlcv_factory.training.bundle import ModelBundle
from ohlcv_factory.training.reference import REFERENCE, Reference, reference_facts, reference_question


@pytest.fixture(scope="module")
def pipeline(finished):
    return ModelBundle.from_run(finished.path).pipeline


@pytest.fixture(scope="module")
def reference(finished):
    return Reference.read(finished.path / REFERENCE, padded=False)


def test_a_run_keeps_eight_val_rows_and_its_own_answers_to_them(reference, pipeline, finished, container) -> None:
    asked = reference_question(pipeline, container)
    assert reference.question.X.tobytes() == asked.X.tobytes()
    assert reference.question.X.shape == (8, len(pipeline.columns))
    places = np.linspace(0, len(finished.predictions) - 1, 8).astype(int)
    assert reference.answers[0].tobytes() == finished.predictions.raw[places].tobytes()
    assert reference.answers[1].tobytes() == finished.predictions.probabilities[places].tobytes()
    assert np.array_equal(reference.answers[2], finished.predictions.decision[places])


def test_the_model_that_was_fitted_passes_to_the_last_bit(reference, pipeline, tmp_path) -> None:
    reference.check(pipeline, 0.0, tmp_path)


def test_windows_come_back_as_windows(reference, tmp_path) -> None:
    windows = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    kept = Reference(replace_inputs(reference, windows), tuple(part[:2] for part in reference.answers))
    kept.write(tmp_path / "reference.npz")
    read = Reference.read(tmp_path / "reference.npz", padded=False)
    assert np.array_equal(np.asarray(read.question.X), windows)
    assert read.question.X.lookback == 3


def replace_inputs(reference: Reference, windows: np.ndarray):
    return reference.question._replace(X=windows, codes=np.zeros(2, np.int64))


@pytest.mark.parametrize(
    ("place", "words"), [(0, "the model's probabilities"), (1, "the calibrated probabilities"), (2, "other decisions")]
)
def test_other_answers_than_then_fail_and_say_which(place, words, reference, pipeline, tmp_path) -> None:
    answers = [part.copy() for part in reference.answers]
    answers[place][3] = (answers[place][3] + 1) % 3 if place == 2 else answers[place][3] + 1e-4
    with pytest.raises(VerificationError, match=f"the self-test fails: {words}"):
        Reference(reference.question, tuple(answers)).check(pipeline, 1e-5, tmp_path)


def test_numbers_that_are_none_never_pass(reference, pipeline, tmp_path) -> None:
    raw = reference.answers[0].copy()
    raw[0, 0] = np.nan
    with pytest.raises(VerificationError):
        Reference(reference.question, (raw, *reference.answers[1:])).check(pipeline, 1.0, tmp_path)


def test_another_calibrator_fails_though_the_model_is_the_same(reference, pipeline, tmp_path) -> None:
    other = replace(pipeline, calibrator=TemperatureBias(temperature=2.5))
    with pytest.raises(VerificationError, match="the calibrated probabilities"):
        reference.check(other, 1e-5, tmp_path)


def test_a_file_without_reference_rows_is_damage(tmp_path) -> None:
    np.savez(tmp_path / "reference.npz", inputs=np.zeros((2, 3)))
    with pytest.raises(DataError, match="holds no reference rows"):
        Reference.read(tmp_path / "reference.npz", padded=False)


def test_families_whose_arithmetic_is_closer_are_allowed_less() -> None:
    assert [reference_facts(family)["tolerance"] for family in ("boosting", "neural", "foundation")] == [
        1e-6,
        1e-5,
        1e-4,
    ]
