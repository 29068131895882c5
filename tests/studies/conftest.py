from __future__ import annotations

import pytest
from markets import COLUMNS, bar_file
from quick_studies import quick_studies

from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.build import build_dataset
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.dataset.store import write_dataset
from ohlcv_factory.dataset.summary import summarise
from ohlcv_factory.studies.cross_validation import cross_validate
from ohlcv_factory.studies.settings import CrossValidationConfig
from ohlcv_factory.training.settings import TrainerConfig

SETTINGS = {
    "horizons": [5],
    "features": list(COLUMNS),
    "embargo_days": "auto",
    "barriers": {5: {"k_up": 2.0, "k_down": 2.0}},
}


def built(*series):
    return build_dataset([bar_file(bars) for bars in series], DatasetConfig.parse(SETTINGS))


@pytest.fixture(scope="session")
def dataset(tmp_path_factory):
    """A dataset folder of one symbol with a planted signal; its last bars have no label."""
    made = built(random_walk(3200, 7, beta=0.8))
    return write_dataset(made, tmp_path_factory.mktemp("studies") / "dataset", summarise(made))


@pytest.fixture(scope="session")
def container(dataset):
    return TimeSeriesDataContainer.from_dataset(dataset, 5)


@pytest.fixture(scope="session")
def two_symbols():
    """Two symbols of which the second begins later."""
    late = random_walk(2600, 2, symbol="SYNTH_B").slice(600, 2600)
    return TimeSeriesDataContainer.from_built(built(random_walk(2600, 1, symbol="SYNTH_A"), late), 5)


@pytest.fixture
def config(tmp_path):
    """A config of a quick model; `config(model_name=…)` changes it."""

    def make(**changes):
        values = {"model_name": "logistic", "horizon": 5, "feature_set": "neural_optimal"}
        return TrainerConfig(**{**values, "output_dir": tmp_path / "experiments" / "runs", **changes})

    return make


@pytest.fixture
def quick():
    """See `quick_studies`."""
    with quick_studies():
        yield


@pytest.fixture(scope="session")
def study(container, tmp_path_factory):
    """A finished purged 3-fold of a logistic regression that kept its models."""
    folder = tmp_path_factory.mktemp("cv") / "experiments"
    config = TrainerConfig(model_name="logistic", horizon=5, feature_set="neural_optimal", output_dir=folder / "runs")
    with quick_studies():
        return cross_validate(config, container, CrossValidationConfig(folds=3, keep_models=True))
