"""The page on tracking: its commands run, and its table has every key."""

from __future__ import annotations

import re

import pytest
from tracked_runs import mlflow_runs

from ohlcv_factory.runtime.packages import is_installed
from ohlcv_factory.training.tracking.settings import ExperimentConfig


@pytest.mark.slow  # MLflow and a whole catalogue of features: half a minute
@pytest.mark.skipif(
    not (is_installed("mlflow") and is_installed("alembic")), reason="the extra tracking is not installed"
)
def test_every_block_runs_and_the_run_is_shown_whole(run_document) -> None:
    folder = run_document("docs/tracking.md")
    (run,) = mlflow_runs(folder / "experiments" / "mlflow.db")
    assert (run["status"], run["tags"]["desk"]) == ("FINISHED", "fx")
    assert (folder / "served" / "MLmodel").is_file()


def test_the_table_of_backends_has_every_key(pytestconfig) -> None:
    text = (pytestconfig.rootpath / "docs" / "tracking.md").read_text(encoding="utf-8")
    table = text.partition("## What each backend gets")[2].partition("\n\nParameters")[0]
    assert set(re.findall(r"^\| `(\w+)` ", table, re.MULTILINE)) == set(ExperimentConfig.model_fields)
