from __future__ import annotations

from pathlib import Path

import pytest

from ohlcv_factory.bars.load import read_bars
from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.build import build_dataset
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.dataset.store import write_dataset
from ohlcv_factory.dataset.summary import summarise
from ohlcv_factory.studies.finished_runs import FinishedRun
from ohlcv_factory.training.settings import TrainerConfig
from ohlcv_factory.training.trainer import Trainer

SETTINGS = DatasetConfig(
    horizons=(5,),
    timeframes=(),
    features=("return_1", "return_5", "rsi_14", "range_pct"),
    embargo_days="auto",
    history_bars=0,
)


@pytest.fixture(scope="session")
def dataset(tmp_path_factory) -> Path:
    """A dataset of two short random walks."""
    folder = tmp_path_factory.mktemp("reports")
    files = []
    for seed, symbol in enumerate(("SYNTHA", "SYNTHB")):
        path = folder / f"{symbol}.parquet"
        random_walk(3000, seed, symbol=symbol).frame().write_parquet(path)
        files.append(read_bars(path))
    built = build_dataset(files, SETTINGS)
    return write_dataset(built, folder / "dataset", summarise(built))


@pytest.fixture(scope="session")
def run(dataset) -> FinishedRun:
    """A logistic regression on them."""
    config = TrainerConfig(model_name="logistic", horizon=5, output_dir=dataset.parent / "runs")
    return FinishedRun.read(Trainer(config).run(TimeSeriesDataContainer.from_dataset(dataset, 5)).path)
