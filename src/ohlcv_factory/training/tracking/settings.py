"""What is shown of a run, and where: the specification's `ExperimentConfig`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import field_validator, model_validator

from ohlcv_factory.config import Settings, setting

Backend = Literal["mlflow", "tensorboard", "wandb", "none"]
PROJECT = "ohlcv-model-factory"
OWN_TAGS = frozenset(
    {"project", "run", "model", "family", "horizon", "symbols", "data_fingerprint", "code_digest", "verdict", "notes"}
)
"""Tags that follow from the run itself."""
FILE_STORE = (
    "MLflow 3.17 opens no file store (mlruns) any more: leave it out for mlflow.db in the experiments folder, or give "
    "sqlite:///FILE or http://HOST:PORT"
)


class ExperimentConfig(Settings):
    """Where a run is shown beside its folder. None of it changes the run."""

    project_name: str = setting(PROJECT, "Tag of MLflow, top folder of TensorBoard, project of Weights & Biases.")
    experiment_name: str = setting(
        "",
        "Experiment of MLflow, folder of TensorBoard, group of Weights & Biases; empty: that of the run, or project_name.",
    )
    run_name: str = setting("", "The run's name there; empty: the name of its folder.")
    tags: dict[str, str] = setting({}, "Tags of your own, beside those that follow from the run.")
    backend: Backend = setting("mlflow", "mlflow | tensorboard | wandb | none.")
    tracking_uri: str | None = setting(
        None,
        "mlflow: sqlite:///FILE or http://HOST:PORT, none: mlflow.db in the experiments folder; tensorboard: a folder; "
        "wandb: URL of the server, none: offline.",
    )
    log_params: bool = setting(True, "Show the settings of the run.")
    log_metrics: bool = setting(True, "Show losses by epoch, and the scores.")
    log_artifacts: bool = setting(True, "Show settings, metrics, plots and pages; TensorBoard takes the plots.")
    log_model: bool | None = setting(
        None, "Keep the model there, without pickle; none: yes, but for TensorBoard, which holds no models."
    )

    @field_validator("tags")
    @classmethod
    def _refuse_own_tags(cls, tags: dict[str, str]) -> dict[str, str]:
        taken = sorted(OWN_TAGS & tags.keys())
        if taken:
            raise ValueError(f"{taken[0]}: the run itself sets this tag; choose another name")
        return tags

    @model_validator(mode="after")
    def _refuse_what_cannot_act(self) -> Self:
        if self.backend == "tensorboard" and self.log_model:
            raise ValueError("log_model: TensorBoard holds no models; use mlflow or wandb, or leave it out")
        if self.tracking_uri is not None and self.backend != "none":
            reason = _REFUSALS[self.backend](self.tracking_uri)
            if reason:
                raise ValueError(f"tracking_uri {self.tracking_uri!r}: {reason}")
        return self

    @classmethod
    def of_flags(cls, keys: Mapping[str, Any]) -> Self | None:
        """From `experiment.<field>` of the flags that were given; None where none was. Raises UsageError (2)."""
        given = {name.removeprefix("experiment."): value for name, value in keys.items() if value is not None}
        return cls.parse(given, where="flags", section="experiment") if given else None

    @property
    def keeps_model(self) -> bool:
        """Whether the model itself goes there."""
        return self.backend != "tensorboard" if self.log_model is None else self.log_model

    def pinned(self) -> ExperimentConfig:
        """The same place, whatever folder one is in later."""
        uri = self.tracking_uri
        if uri is not None and uri.startswith("sqlite:///"):
            uri = f"sqlite:///{Path(uri.removeprefix('sqlite:///')).absolute()}"
        elif uri is not None and self.backend == "tensorboard":
            uri = str(Path(uri).absolute())
        return self.model_copy(update={"tracking_uri": uri})

    def target(self, experiments: Path) -> str:
        """Where the run is shown: a URI of MLflow, a folder, or the URL of a server; the default lies in `experiments`."""
        if self.tracking_uri is not None:
            return self.tracking_uri
        if self.backend == "mlflow":
            return f"sqlite:///{experiments.resolve() / 'mlflow.db'}"
        return str(experiments.resolve() / self.backend)


def _refused_by_mlflow(uri: str) -> str:
    if uri.startswith("sqlite:///") and len(uri) > len("sqlite:///"):
        return ""
    if re.match(r"https?://[^/]", uri):
        return _refused_secret(uri)
    if re.match(r"[a-z+]+://", uri) and not uri.startswith("file:"):
        return "give sqlite:///FILE, or http://HOST:PORT of an MLflow server in front of that database"
    return FILE_STORE


def _refused_by_tensorboard(uri: str) -> str:
    return "TensorBoard reads a folder: give its path" if re.match(r"[a-z0-9+]+:", uri) else ""


def _refused_by_wandb(uri: str) -> str:
    if not re.match(r"https?://[^/]", uri):
        return "give the URL of a Weights & Biases server, or leave it out to stay offline"
    return _refused_secret(uri)


def _refused_secret(uri: str) -> str:
    """A recipe and a spool are no place for a password."""
    if urlsplit(uri).password is None:
        return ""
    return "it holds a password, and recipes are kept: use the environment of the library (MLFLOW_TRACKING_PASSWORD)"


_REFUSALS = {"mlflow": _refused_by_mlflow, "tensorboard": _refused_by_tensorboard, "wandb": _refused_by_wandb}
