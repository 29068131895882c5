from __future__ import annotations

import pytest
from tracked_runs import BEGAN_MS, UPDATED_MS, run_folder, write_epochs, write_start

from ohlcv_factory.errors import DataError, InputMissingError, UsageError
from ohlcv_factory.storage.formats import read_json, write_json
from ohlcv_factory.storage.locks import folder_lock
from ohlcv_factory.training.tracking.settings import ExperimentConfig
from ohlcv_factory.training.tracking.tracked_run import TrackedRun


@pytest.fixture
def run(finished, tmp_path):
    """A folder of a finished run that was tracked."""
    folder = run_folder(finished.path, tmp_path / "runs" / "run_1")
    write_start(folder, tags={"desk": "fx"})
    write_epochs(folder, {1: 0.9, 2: 0.8})
    return folder


def test_a_run_is_told_by_its_spool_and_its_state(run) -> None:
    found = TrackedRun.read(run)
    assert (found.state, found.key, found.began_ms, found.updated_ms) == ("FINISHED", "k1", BEGAN_MS, UPDATED_MS)
    assert [(epoch.step, epoch.metrics) for epoch in found.series()] == [(1, {"val_loss": 0.9}), (2, {"val_loss": 0.8})]


def test_the_scores_have_the_names_of_the_metrics_schema(run) -> None:
    stored = read_json(run / "metrics" / "evaluation_metrics.json")["evaluation_metrics"]
    scores = TrackedRun.read(run).scores()
    assert scores["classification/macro_f1"] == stored["classification"]["macro_f1"]
    assert scores["classification/per_class_f1/short"] == stored["classification"]["per_class_f1"]["short"]
    assert scores["trading/sharpe_ratio"] == stored["trading"]["sharpe_ratio"]
    assert scores["training/early_stopped"] == float(stored["training"]["early_stopped"])
    assert scores["fit/val_loss"] == read_json(run / "metrics" / "training_metrics.json")["val_loss"]
    assert scores["baselines/class_prior/classification/macro_f1"] > 0
    assert not [name for name in scores if "history" in name or "breakdown" in name]


def test_the_settings_are_flat_and_complete(run) -> None:
    params = TrackedRun.read(run).params()
    assert params["model_name"] == "lightgbm"
    assert params["model.n_estimators"] == "60"
    assert params["random_seed"] == "42"
    assert "output_dir" not in params


def test_the_tags_say_data_code_and_verdict(run) -> None:
    tags, manifest = TrackedRun.read(run).tags(), read_json(run / "manifest.json")
    assert tags["data_fingerprint"] == manifest["data_fingerprint"]
    assert tags["code_digest"] == manifest["code"]
    evaluation = read_json(run / "metrics" / "evaluation_metrics.json")["evaluation_metrics"]
    assert (tags["verdict"], tags["notes"]) == (evaluation["verdict"]["code"], evaluation["verdict"]["words"])
    assert (tags["model"], tags["horizon"], tags["desk"], tags["run"]) == ("lightgbm", "5", "fx", "run_1")


def test_the_files_are_settings_metrics_and_plots_but_no_predictions(run) -> None:
    found = {path.relative_to(run).as_posix() for path in TrackedRun.read(run).files()}
    assert {"config/training_config.yaml", "metrics/evaluation_metrics.json", "plots/confusion_matrix.png"} <= found
    assert "manifest.json" in found
    assert not [name for name in found if name.startswith(("predictions", "checkpoints"))]


def test_a_run_that_is_not_finished_shows_no_scores(finished, tmp_path) -> None:
    folder = run_folder(finished.path, tmp_path / "run", "FAILED")
    write_start(folder)
    found = TrackedRun.read(folder)
    assert (found.is_over, found.is_finished, found.scores(), found.files()) == (True, False, {}, [])


def test_a_run_that_nobody_works_on_is_lost(finished, tmp_path) -> None:
    folder = run_folder(finished.path, tmp_path / "run", "RUNNING")
    write_start(folder)
    assert TrackedRun.read(folder).state == "LOST"
    with folder_lock(folder, "a training"):
        assert TrackedRun.read(folder).state == "RUNNING"


def test_the_state_of_an_earlier_attempt_is_not_that_of_the_one_at_work(finished, tmp_path) -> None:
    folder = run_folder(finished.path, tmp_path / "run", "FAILED")
    write_start(folder)
    assert TrackedRun.read(folder).state == "FAILED"
    write_start(folder, attempt=2, later_ms=UPDATED_MS)
    with folder_lock(folder, "a training"):
        assert TrackedRun.read(folder).state == "RUNNING"
    assert TrackedRun.read(folder).state == "LOST"


def test_a_run_whose_state_is_not_written_yet_is_at_work(tmp_path) -> None:
    write_start(tmp_path)
    with folder_lock(tmp_path, "a training"):
        assert TrackedRun.read(tmp_path).state == "RUNNING"
        write_json(tmp_path / "state.json", {"state": "CREATED", "updated": "2023-11-14T23:00:00Z"})
        assert TrackedRun.read(tmp_path).state == "RUNNING"


def test_an_epoch_that_a_resumed_run_does_again_is_shown_once(run) -> None:
    write_start(run, attempt=2)
    write_epochs(run, {2: 0.8, 3: 0.7})
    assert [epoch.step for epoch in TrackedRun.read(run).epochs] == [1, 2, 3]


def test_a_run_that_was_not_tracked_has_its_curves_where_one_says_where_to_show_it(finished, tmp_path) -> None:
    folder = run_folder(finished.path, tmp_path / "run")
    with pytest.raises(UsageError, match="the run was not tracked"):
        TrackedRun.read(folder)
    found = TrackedRun.read(folder, ExperimentConfig())
    curve = read_json(folder / "metrics" / "training_metrics.json")["history"]["val_loss"]
    assert [epoch.metrics["val_loss"] for epoch in found.series()] == curve
    assert found.key == "run"


def test_names_follow_the_experiment_the_recipe_and_the_project(run) -> None:
    assert TrackedRun.read(run, ExperimentConfig()).experiment_name == "ohlcv-model-factory"
    named = ExperimentConfig.parse({"experiment_name": "fx", "run_name": "first"})
    found = TrackedRun.read(run, named)
    assert (found.experiment_name, found.name) == ("fx", "first")
    assert TrackedRun.read(run).name == "run_1"


def test_the_default_place_is_beside_the_ledger(run, tmp_path) -> None:
    assert TrackedRun.read(run).target == f"sqlite:///{tmp_path}/mlflow.db"


def test_blocks_and_trials_of_a_study_are_series(finished, tmp_path) -> None:
    folder = run_folder(finished.path, tmp_path / "study")
    write_json(folder / "metrics" / "metrics.json", {"blocks": [{"log_loss": 1.0}, {"log_loss": 0.9}]})
    (folder / "trials.csv").write_text("symbol,horizon,trial,value\nA,5,0,0.1\nA,5,1,\nA,5,2,0.3\n")
    write_start(folder)
    found = [(epoch.step, epoch.metrics) for epoch in TrackedRun.read(folder).series()][-4:]
    assert found == [
        (1, {"block/log_loss": 1.0}),
        (2, {"block/log_loss": 0.9}),
        (0, {"trial/A/5/value": 0.1}),
        (2, {"trial/A/5/value": 0.3}),
    ]


def test_a_folder_without_a_run_or_with_a_damaged_state_is_named(run, tmp_path) -> None:
    with pytest.raises(InputMissingError):
        TrackedRun.read(tmp_path / "nothing")
    write_json(run / "state.json", {"state": "FINISHED", "updated": 5})
    with pytest.raises(DataError, match=r"state\.json holds no time, but 5\."):
        TrackedRun.read(run)
