from __future__ import annotations

from pathlib import Path

import pytest

from ohlcv_factory.errors import UsageError
from ohlcv_factory.training.settings import TrainerConfig
from ohlcv_factory.training.tracking.settings import ExperimentConfig

SPECIFIED = {
    "project_name": "ohlcv-model-factory",
    "experiment_name": "",
    "run_name": "",
    "tags": {},
    "backend": "mlflow",
    "tracking_uri": None,
    "log_params": True,
    "log_metrics": True,
    "log_artifacts": True,
    "log_model": None,
}
"""The specification's fields; mlruns, which MLflow no longer opens, and log_model, which one backend cannot do, are left open."""


def test_the_fields_are_those_of_the_specification() -> None:
    assert ExperimentConfig().plain() == SPECIFIED


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"tracking_uri": "mlruns"}, "MLflow 3.17 opens no file store (mlruns) any more"),
        ({"tracking_uri": "file:///tmp/mlruns"}, "MLflow 3.17 opens no file store"),
        ({"tracking_uri": "sqlite:///"}, "give sqlite:///FILE, or http://HOST:PORT"),
        ({"tracking_uri": "postgresql://host/db"}, "give sqlite:///FILE, or http://HOST:PORT of an MLflow server"),
        ({"tracking_uri": "http://me:secret@host:5000"}, "it holds a password, and recipes are kept"),
        ({"backend": "tensorboard", "tracking_uri": "http://host"}, "TensorBoard reads a folder: give its path"),
        ({"backend": "tensorboard", "log_model": True}, "log_model: TensorBoard holds no models"),
        ({"backend": "wandb", "tracking_uri": "folder"}, "give the URL of a Weights & Biases server"),
        ({"tags": {"verdict": "good"}}, "verdict: the run itself sets this tag"),
        ({"backend": "neptune"}, "backend: input should be 'mlflow', 'tensorboard', 'wandb' or 'none'"),
        ({"experiment": "x"}, "experiment: unknown key; did you mean 'experiment_name'?"),
    ],
)
def test_what_cannot_act_is_refused_with_the_reason(given, words) -> None:
    with pytest.raises(UsageError) as caught:
        ExperimentConfig.parse(given)
    assert words in caught.value.what


def test_a_backend_that_is_off_takes_any_place() -> None:
    assert ExperimentConfig.parse({"backend": "none", "tracking_uri": "mlruns"}).backend == "none"


@pytest.mark.parametrize(
    ("given", "target"),
    [
        ({}, "sqlite:////data/experiments/mlflow.db"),
        ({"backend": "tensorboard"}, "/data/experiments/tensorboard"),
        ({"backend": "wandb"}, "/data/experiments/wandb"),
        ({"tracking_uri": "http://127.0.0.1:5000"}, "http://127.0.0.1:5000"),
    ],
)
def test_the_place_lies_in_the_experiments_folder_unless_it_is_named(given, target) -> None:
    assert ExperimentConfig.parse(given).target(Path("/data/experiments")) == target


def test_a_relative_place_is_pinned_to_the_folder_where_the_run_began(monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    database = ExperimentConfig.parse({"tracking_uri": "sqlite:///own.db"})
    folder = ExperimentConfig.parse({"backend": "tensorboard", "tracking_uri": "boards"})
    assert database.pinned().tracking_uri == f"sqlite:///{tmp_path}/own.db"
    assert folder.pinned().tracking_uri == f"{tmp_path}/boards"
    assert ExperimentConfig().pinned().tracking_uri is None


def test_every_backend_but_tensorboard_keeps_the_model_unless_told_not_to() -> None:
    kept = {name: ExperimentConfig.parse({"backend": name}).keeps_model for name in ("mlflow", "wandb", "tensorboard")}
    assert kept == {"mlflow": True, "wandb": True, "tensorboard": False}
    assert not ExperimentConfig.parse({"log_model": False}).keeps_model


def test_the_settings_of_a_run_that_is_not_tracked_do_not_know_of_trackers() -> None:
    assert "experiment" not in TrainerConfig(model_name="logistic").plain()
    tracked = TrainerConfig.parse({"model_name": "logistic", "experiment": {"backend": "wandb"}})
    assert tracked.plain()["experiment"]["backend"] == "wandb"
