"""`export`: a finished run in the form that another program reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ohlcv_factory.cli import options
from ohlcv_factory.cli.console import emit


def export(
    run: Annotated[Path, typer.Argument(help="Run folder; DIR/latest is the run of DIR that finished last.")],
    mlflow: Annotated[
        Path, typer.Option("--mlflow", help="Folder of an MLflow model, without pickle; must be new or empty.")
    ],
    as_json: options.AsJson = False,
) -> None:
    """Write a run as a model folder of MLflow: bars in, probabilities out, those of `predict`.

    `mlflow models serve --env-manager local -m DIR` and `mlflow.pyfunc.load_model` read it where this package is installed.
    """
    from ohlcv_factory.studies.run_folders import find_run
    from ohlcv_factory.training.mlflow_model import export_mlflow_model

    folder = find_run(run)
    out = export_mlflow_model(folder, mlflow)
    serve = f"mlflow models serve --env-manager local -m {out}"
    emit({"run": str(folder), "mlflow": str(out)}, f"MLflow model: {out}\nserve it: {serve}", as_json)
