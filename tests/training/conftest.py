from __future__ import annotations

import pytest
from markets import COLUMNS, bar_file

from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.build import build_dataset
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.training.settings import TrainerConfig
from ohlcv_factory.training.trainer import Trainer

BARS = 9000


@pytest.fixture(scope="session")
def market():
    """Bars with a strong planted signal, seen through the volume."""
    return random_walk(BARS, 7, beta=0.8)


@pytest.fixture(scope="session")
def container(market):
    wide = {5: {"k_up": 2.0, "k_down": 2.0}}  # so that every class is common
    config = DatasetConfig.parse({"horizons": [5], "features": COLUMNS, "embargo_days": "auto", "barriers": wide})
    return TimeSeriesDataContainer.from_built(build_dataset([bar_file(market)], config), 5)


@pytest.fixture
def config(tmp_path):
    """A config of a quick model; `config(model_name=…)` changes it."""

    def make(**changes):
        values = {
            "model_name": "logistic",
            "horizon": 5,
            "feature_set": "neural_optimal",
            "output_dir": tmp_path / "runs",
        }
        return TrainerConfig(**{**values, **changes})

    return make


@pytest.fixture(scope="session")
def finished(container, tmp_path_factory):
    """A finished LightGBM run."""
    folder = tmp_path_factory.mktemp("experiments") / "runs"
    model = {"n_estimators": 60, "early_stopping_rounds": 10}
    return Trainer(TrainerConfig(model_name="lightgbm", horizon=5, output_dir=folder, model=model)).run(container)
