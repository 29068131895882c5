from __future__ import annotations

import pytest
from command_line import call, succeed, train
from quick_tracking import no_courier

from ohlcv_factory.cli import pipeline
from ohlcv_factory.cli.doctor import trackers
from ohlcv_factory.runtime.packages import is_installed
from ohlcv_factory.training.tracking import courier, tracker

needs_tensorboard = pytest.mark.skipif(not is_installed("tensorboard"), reason="the extra tensorboard is not installed")


@pytest.fixture(scope="module")
def spooled(folder, dataset):
    """A run whose events nobody has delivered."""
    with no_courier():
        return train(dataset, folder / "spooled" / "runs", "--track", "tensorboard")


@needs_tensorboard
def test_sync_delivers_once_and_then_says_that_nothing_was_missing(spooled) -> None:
    place = spooled.parents[1]
    first, second = (succeed("sync", place, "--json").json for _ in range(2))
    assert [(told["backend"], told["state"], told["changed"]) for told in (*first, *second)] == [
        ("tensorboard", "FINISHED", True),
        ("tensorboard", "FINISHED", False),
    ]
    assert len(list((place / "tensorboard").rglob("events.out.tfevents.*"))) == 1
    assert "nothing was missing" in succeed("sync", spooled).out


@needs_tensorboard
def test_sync_shows_a_run_that_was_never_tracked_where_the_flags_say(folder, dataset) -> None:
    run = train(dataset, folder / "plain" / "runs")
    assert "the run was not tracked" in call("sync", run).err
    boards = folder / "boards"
    succeed("sync", run.parent, "--track", "tensorboard", "--tracking-uri", boards, "--tag", "desk=fx")
    (events,) = boards.rglob("events.out.tfevents.*")
    assert b"desk" in events.read_bytes()


def test_the_first_error_decides_the_exit_code_and_all_are_told(spooled, monkeypatch) -> None:
    told = [
        {"error": "E-service", "what": "gone.", "where": "http://h", "help": "start it", "exit_code": 75},
        {"run": "b", "backend": "mlflow", "state": "FINISHED", "epochs": 3, "changed": True},
    ]
    monkeypatch.setattr(courier, "deliver_all", lambda *_: told)
    answer = call("sync", spooled, spooled)
    assert answer.code == 75
    assert "gone." in answer.out
    assert "delivered" in answer.out
    assert "error[E-service]: gone.\n  --> http://h\n  help: start it\n" in answer.err
    plain = call("sync", spooled, spooled, "--json")
    assert (plain.code, [one.get("exit_code") for one in plain.json]) == (75, [75, None])


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("nowhere",), 66, "nowhere does not exist"),
        ((".", "--track", "mlflow", "--tracking-uri", "mlruns"), 2, "MLflow 3.17 opens no file store"),
        ((".", "--tag", "desk"), 2, "--tag takes name=value, got 'desk'"),
        ((".", "--track", "neptune"), 2, "experiment.backend: input should be 'mlflow'"),
    ],
)
def test_what_cannot_be_is_refused(arguments, code, words) -> None:
    answer = call("sync", *arguments)
    assert (answer.code, words in answer.err) == (code, True), answer.err


def test_the_doctor_says_which_trackers_are_there(monkeypatch) -> None:
    monkeypatch.setattr(tracker, "missing_packages", lambda backend: ["wandb"] if backend == "wandb" else [])
    found = trackers()
    assert found["wandb"] == "pip install 'ohlcv-model-factory[wandb]'"
    assert list(found) == ["mlflow", "tensorboard", "wandb"]


def test_export_writes_a_model_folder_of_mlflow(spooled, folder) -> None:
    answer = succeed("export", spooled, "--mlflow", folder / "served", "--json")
    assert (folder / "served" / "MLmodel").is_file()
    assert answer.json == {"run": str(spooled), "mlflow": str(folder / "served")}
    refused = call("export", spooled, "--mlflow", folder / "served")
    assert (refused.code, "is not empty" in refused.err) == (73, True)


def test_run_passes_where_its_runs_are_shown_to_each_of_them(monkeypatch, folder) -> None:
    plans = []

    def noted(plan, *, say):
        plans.append(plan)
        return pipeline.Outcome({}, "done")

    monkeypatch.setattr(pipeline, "run_everything", noted)
    flags = ("--track", "tensorboard", "--tracking-uri", "boards", "--tag", "desk=fx")
    succeed("run", folder / "bars.csv", "--models", "logistic", "--out", folder / "new", *flags)
    (plan,) = plans
    told = plan.experiment
    assert (told.backend, told.tracking_uri, told.tags) == ("tensorboard", "boards", {"desk": "fx"})
    with no_courier():
        (config,) = pipeline._configs(plan)
    assert config.experiment == told
    succeed("run", folder / "bars.csv", "--out", folder / "new")
    assert plans[1].experiment is None
