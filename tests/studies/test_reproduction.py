"""A run trained again: the verdict on its bytes, and the name of whatever is not as it was."""

from __future__ import annotations

import numpy as np
import pytest

from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.errors import VerificationError
from ohlcv_factory.storage.ledger import Ledger
from ohlcv_factory.studies.reproduction import (
    DIFFERS,
    SAME_BYTES,
    WITHIN_TOLERANCE,
    compared,
    environment_differences,
    reproduce,
)
from ohlcv_factory.training.settings import TrainerConfig
from ohlcv_factory.training.trainer import Trainer


def container(seed: int = 7) -> TimeSeriesDataContainer:
    config = DatasetConfig(horizons=(20,), features=("return_1", "rsi_14"), embargo_days="auto")
    return TimeSeriesDataContainer.from_bars(random_walk(2500, seed, bar_seconds=3600), horizon=20, config=config)


@pytest.fixture(scope="module")
def forest(tmp_path_factory):
    """A run of a small forest, and how its trainer is made."""
    place = tmp_path_factory.mktemp("experiments") / "runs"

    def trainer(output_dir=place, **changed) -> Trainer:
        values = {"model_name": "random_forest", "horizon": 20, "model": {"n_estimators": 3}, "random_seed": 5}
        return Trainer(TrainerConfig(**values | changed, output_dir=output_dir))

    return trainer().run(container()).path, trainer


def test_the_same_run_has_the_same_bytes_and_is_no_new_trial(forest) -> None:
    run, trainer = forest
    found = reproduce(run, trainer(), trainer, container())
    assert (found.verdict, found.differing_rows, found.largest_difference, found.environment) == (
        SAME_BYTES,
        0,
        0.0,
        (),
    )
    assert Ledger.in_folder(run.parents[1]).count("fit") == 1
    assert [path.name for path in run.parent.iterdir()] == [run.name]


def test_a_training_that_comes_out_otherwise_differs(forest) -> None:
    run, trainer = forest
    found = reproduce(run, trainer(), lambda place: trainer(place, random_seed=6), container())
    assert found.verdict == DIFFERS and 0 < found.differing_rows <= found.rows and found.largest_difference > 1e-5


def test_a_changed_key_changed_bars_and_a_changed_file_are_named(forest) -> None:
    run, trainer = forest
    with pytest.raises(VerificationError, match=r"made of: model\.n_estimators: 3 then, 4 now\."):
        reproduce(run, trainer(model={"n_estimators": 4}), trainer, container())
    with pytest.raises(VerificationError, match=r"dataset: digest \w{12} then, \w{12} now"):
        reproduce(run, trainer(), trainer, container(seed=8))
    scaler = run / "checkpoints" / "scaler.json"
    text = scaler.read_text()
    scaler.write_text(text + "\n")
    with pytest.raises(VerificationError, match=r"scaler\.json is not the file"):
        reproduce(run, trainer(), trainer, container())
    scaler.write_text(text)


def test_other_bits_are_forgiven_in_another_environment_only_and_within_the_tolerance() -> None:
    before = np.array([[0.2, 0.3, 0.5], [0.1, 0.1, 0.8]])
    close, far = before.copy(), before.copy()
    close[1, 2] += 9e-6
    far[1, 2] += 2e-5
    other = ("threads: 1 then, 2 now",)
    assert [compared(before, after, place).verdict for after in (close, far) for place in ((), other)] == [
        DIFFERS, WITHIN_TOLERANCE, DIFFERS, DIFFERS,
    ]  # fmt: skip
    found = compared(before, close, other)
    assert (found.rows, found.differing_rows) == (2, 1) and found.largest_difference == pytest.approx(9e-6)
    assert compared(before, np.asfortranarray(before), ()).verdict == SAME_BYTES
    assert compared(before, before[:1], other).verdict == DIFFERS
    assert compared(np.array([[0.0]]), np.array([[-0.0]]), ()).differing_rows == 1


def test_what_is_not_as_it_was_is_named_with_both_values() -> None:
    then = {"threads": 1, "code": "a" * 64, "packages": {"numpy": "2.4.6", "torch": "2.13.0"}, "peak_memory_mb": 1}
    now = {"threads": 2, "code": "b" * 64, "packages": {"numpy": "2.5.0"}, "peak_memory_mb": 2}
    assert environment_differences(then, now) == (
        "code: aaaaaaaaaaaa then, bbbbbbbbbbbb now",
        "packages.numpy: 2.4.6 then, 2.5.0 now",
        "packages.torch: 2.13.0 then, unknown now",
        "threads: 1 then, 2 now",
    )
    assert environment_differences({}, {"code": "b" * 64}) == ("code: unknown then, bbbbbbbbbbbb now",)
