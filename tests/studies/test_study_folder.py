from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ohlcv_factory.errors import DataError, InputMissingError, LockedError
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.studies.study_folder import at_work, new_study_folder, read_study_manifest, studies_folder
from ohlcv_factory.training.settings import TrainerConfig

CLOCK = lambda: datetime(2026, 11, 27, tzinfo=UTC)  # noqa: E731


def state(folder):
    found = read_json(folder / "state.json")
    return found["state"], found["attempt"], found["error"]


@pytest.mark.parametrize(
    ("output", "studies", "experiments"),
    [
        ("experiments/runs", "experiments/studies", "experiments"),
        ("elsewhere/studies", "elsewhere/studies", "elsewhere"),
        ("mine", "mine", "mine"),
    ],
)
def test_studies_lie_beside_runs_and_their_ledger_above_both(output, studies, experiments):
    config = TrainerConfig(model_name="logistic", output_dir=Path(output))
    assert studies_folder(config) == Path(studies)
    assert config.experiments_folder == Path(experiments)


def test_two_studies_of_one_second_have_folders_of_their_own(tmp_path):
    config = TrainerConfig(model_name="logistic", horizon=5, output_dir=tmp_path / "runs")
    one, two = (new_study_folder("cv", config, CLOCK) for _ in range(2))
    assert one != two
    assert {one.name[:-6], two.name[:-6]} == {"cv_logistic_h5_20261127T000000Z_"}


def test_the_state_says_running_then_finished(tmp_path):
    with at_work(tmp_path, CLOCK, 2) as log:
        assert state(tmp_path) == ("RUNNING", 2, None)
        log.write("half way")
    assert state(tmp_path) == ("FINISHED", 2, None)
    assert (tmp_path / "logs" / "study.log").read_text() == "2026-11-27T00:00:00Z half way\n"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (KeyboardInterrupt(), ("INTERRUPTED", {"type": "KeyboardInterrupt", "message": ""})),
        (ZeroDivisionError("oh"), ("FAILED", {"type": "ZeroDivisionError", "message": "oh"})),
        (DataError("bad.", help="mend it"), ("FAILED", {"type": "E-data", "message": "bad.", "hint": "mend it"})),
    ],
)
def test_the_state_says_how_it_ended(tmp_path, error, expected):
    with pytest.raises(type(error)), at_work(tmp_path, CLOCK, 1):
        raise error
    found = state(tmp_path)
    assert (found[0], found[2]) == expected


def test_two_processes_do_not_work_on_one_study(tmp_path):
    with (
        at_work(tmp_path, CLOCK, 1),
        pytest.raises(LockedError, match="this study is still at work"),
        at_work(tmp_path, CLOCK, 2),
    ):
        pass


def test_a_manifest_of_another_kind_is_no_study(tmp_path):
    (tmp_path / "manifest.json").write_text('{"kind": "run", "files": []}')
    with pytest.raises(InputMissingError, match="is not a finished study of kind 'cv'"):
        read_study_manifest(tmp_path, "cv")
