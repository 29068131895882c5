"""Runs and datasets as earlier versions wrote them still load, and say what they said then."""

from __future__ import annotations

import json
import warnings
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.store import read_dataset
from ohlcv_factory.errors import FactoryWarning
from ohlcv_factory.storage import trial
from ohlcv_factory.studies.finished_runs import FinishedRun
from ohlcv_factory.studies.run_folders import verify
from ohlcv_factory.training.bundle import ModelBundle

EXAMPLES = Path(__file__).parent / "examples"
RUNS = ("run_1_first", "run_1", "run_2")
DATASETS = ("dataset_1", "dataset_2_first")


@pytest.fixture(autouse=True)
def _other_libraries_may_read_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The examples outlive the versions of the libraries that wrote them; and they are ours, so no child tries them first."""
    warnings.simplefilter("ignore", FactoryWarning)
    monkeypatch.setattr(trial, "is_known", lambda digest: True)


def unpacked(name: str, folder: Path) -> Path:
    """An example as a folder; the second dataset has the bars of the first."""
    names = ["dataset_1", name] if name == "dataset_2_first" else [name]
    for each in names:
        with zipfile.ZipFile(EXAMPLES / f"{each}.zip") as archive:
            for member in archive.namelist():
                target = folder / name / member
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(member))
    return folder / name


@pytest.mark.parametrize("name", RUNS)
def test_a_run_of_an_earlier_version_predicts_what_it_predicted_then(name, tmp_path) -> None:
    run = unpacked(name, tmp_path)
    container = TimeSeriesDataContainer.from_dataset(unpacked("dataset_1", tmp_path), 5)
    stored = pl.read_parquet(run / "predictions" / "val_predictions.parquet")
    found = ModelBundle.from_run(run).pipeline.predict(container, container.rows("val")).frame
    columns = ["p_short", "p_neutral", "p_long"]
    assert np.abs(found[columns].to_numpy() - stored[columns].to_numpy()).max() < 1e-9


@pytest.mark.parametrize("name", RUNS)
def test_a_run_of_an_earlier_version_is_verified_and_compared(name, tmp_path) -> None:
    run = unpacked(name, tmp_path)
    listed = json.loads((run / "manifest.json").read_text())["files"]
    assert verify(run) == len(listed)
    assert FinishedRun.read(run).evaluation["model_name"] == "logistic"


@pytest.mark.parametrize("name", DATASETS)
def test_a_dataset_of_an_earlier_version_has_its_bars_features_and_labels(name, tmp_path) -> None:
    dataset = read_dataset(unpacked(name, tmp_path))
    (symbol,) = dataset.symbols
    assert (len(symbol.bars), dataset.feature_names) == (920, ("return_1", "rsi_14"))
    assert symbol.features[-1].tolist() == pytest.approx([1.985703e-04, 65.56292], rel=1e-6)
    path = symbol.labels[5].path
    assert path.label[300:310].tolist() == [0, 0, 2, 2, 2, 2, 1, 1, 1, 1]
    assert np.isnan(path.favourable).all()  # nobody wrote down then how far a trade went its way
    assert (symbol.source, dataset.plugins) == (None, ())
