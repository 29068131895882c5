"""A training job leaves one run, whatever happened to it before: found, continued or trained again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from markets import COLUMNS, bar_file

from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.build import build_dataset
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.dataset.store import write_dataset
from ohlcv_factory.errors import FactoryWarning, UsageError, VerificationError
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.storage.ledger import Ledger
from ohlcv_factory.studies.executor.protocol import enter_trials
from ohlcv_factory.studies.executor.work import run_job
from ohlcv_factory.studies.training_job import run_training, training_spec
from ohlcv_factory.training import artifacts
from ohlcv_factory.training.settings import TrainerConfig

SETTINGS = {"model_name": "random_forest", "horizon": 5, "feature_set": "neural_optimal", "model": {"n_estimators": 5}}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    config = DatasetConfig(horizons=(5,), features=COLUMNS, embargo_days="auto")
    files = [bar_file(random_walk(2600, seed, beta=0.8, symbol=f"SYNTH_{seed}")) for seed in (1, 2)]
    return write_dataset(build_dataset(files, config), tmp_path_factory.mktemp("data") / "dataset", {})


@pytest.fixture(scope="module")
def container(dataset):
    return TimeSeriesDataContainer.from_dataset(dataset, 5)


@pytest.fixture(autouse=True)
def without_pictures(monkeypatch):
    monkeypatch.setattr(artifacts, "write_plots", lambda *_: None)


@pytest.fixture
def spec(container, tmp_path):
    return training_spec(TrainerConfig(**SETTINGS), container, tmp_path / "study")


def state(run):
    return read_json(run / "state.json")


def only_run(spec):
    (run,) = (spec.folder.parents[1] / "runs").iterdir()
    return run


def test_a_run_has_the_name_of_its_job_and_its_scores_come_back(spec) -> None:
    result = run_job(spec)
    run = only_run(spec)
    assert run.name == f"random_forest_h5_s42_{spec.id[:8]}"
    assert result.values["run"] == f"runs/{run.name}"
    stored = read_json(run / "metrics" / "evaluation_metrics.json")["evaluation_metrics"]
    assert result.values["trading"] == stored["trading"]
    assert result.values["row_digest"] == read_json(run / "manifest.json")["row_digest"]


def test_settings_data_and_seed_make_another_job_and_folders_do_not(container, spec, tmp_path) -> None:
    def job(study="study", symbol=None, **changes):
        data = container if symbol is None else TimeSeriesDataContainer.from_dataset(container.origin, 5, symbol=symbol)
        return training_spec(TrainerConfig(**{**SETTINGS, **changes}), data, tmp_path / study)

    assert job(output_dir=tmp_path / "x").id == job("elsewhere").id == spec.id
    others = [job(random_seed=1), job(weighting="none"), job(model={}), job(symbol="SYNTH_1"), job(symbol="SYNTH_2")]
    assert len({spec.id, *(other.id for other in others)}) == 6


def test_a_container_that_lies_in_memory_only_cannot_go_to_a_worker(container, tmp_path) -> None:
    with pytest.raises(UsageError, match="a job needs a dataset folder"):
        training_spec(TrainerConfig(**SETTINGS), replace(container, origin=None), tmp_path / "study")


def test_the_run_of_one_symbol_is_named_after_it(container, tmp_path) -> None:
    one = TimeSeriesDataContainer.from_dataset(container.origin, 5, symbol="SYNTH_2")
    spec = training_spec(TrainerConfig(**SETTINGS), one, tmp_path / "study")
    run_job(spec)
    assert only_run(spec).name == f"random_forest_h5_SYNTH_2_s42_{spec.id[:8]}"
    assert read_json(only_run(spec) / "manifest.json")["symbols"] == ["SYNTH_2"]


def test_the_trial_is_entered_once_by_the_study_and_not_by_the_worker(spec) -> None:
    study = spec.folder.parents[1]
    result = run_job(spec)
    assert Ledger.in_folder(study).entries() == []
    for _ in range(2):
        enter_trials(result, study)
    (entry,) = Ledger.in_folder(study).entries()
    assert (entry["kind"], entry["run_id"], entry["data_digest"]) == ("fit", only_run(spec).name, spec.digests["data"])


def test_a_run_that_was_finished_before_its_result_was_written_is_taken_as_it_is(spec) -> None:
    first = run_job(spec)
    (spec.folder / "result.json").unlink()
    assert run_job(spec).values == first.values
    assert state(only_run(spec))["attempt"] == 1


def test_a_run_that_was_cut_off_is_continued_in_its_folder(spec, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(artifacts, "write_importance", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run_job(spec)
    assert state(only_run(spec))["state"] == "INTERRUPTED"
    result = run_job(spec)
    assert (result.state, result.attempts, state(only_run(spec))["attempt"]) == ("FINISHED", 2, 2)


def test_a_run_that_was_cut_off_before_it_began_is_trained_anew(spec, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(artifacts, "write_configs", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run_job(spec)
    assert run_job(spec).state == "FINISHED"
    assert state(only_run(spec)) == {**state(only_run(spec)), "state": "FINISHED", "attempt": 1}


def test_a_run_with_a_changed_file_is_trained_anew(spec) -> None:
    first = run_job(spec)
    path = only_run(spec) / "predictions" / "val_probabilities.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.warns(FactoryWarning, match=r"val_probabilities\.npy is not the file that was written"):
        again = run_job(spec)
    assert again.values == first.values
    assert run_job(spec).found


def test_a_dataset_that_is_another_one_now_is_refused(spec) -> None:
    changed = spec.model_copy(update={"digests": {"data": "0" * 64}})
    assert run_job(changed).error["error"] == "E-verify"
    with pytest.raises(VerificationError, match="the dataset is not the one that the study began with"):
        run_training(changed.plain())


def test_a_study_that_was_moved_continues_what_was_cut_off(spec, tmp_path, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(artifacts, "write_importance", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run_job(spec)
    (tmp_path / "study").rename(tmp_path / "moved")
    moved = spec.model_copy(update={"study": str(tmp_path / "moved")})
    assert run_job(moved).state == "FINISHED"
