from __future__ import annotations

import pytest
from markets import COLUMNS, bar_file

from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.build import build_dataset
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.settings import DatasetConfig


@pytest.fixture(scope="session")
def config():
    return DatasetConfig(horizons=(5, 20), features=COLUMNS, embargo_days="auto")


@pytest.fixture(scope="session")
def dataset(config):
    return build_dataset([bar_file(random_walk(4000, 1))], config)


@pytest.fixture(scope="session")
def container(dataset):
    return TimeSeriesDataContainer.from_built(dataset, 20)


@pytest.fixture(scope="session")
def two_symbols():
    config = DatasetConfig(horizons=(5,), features=COLUMNS, embargo_days="auto")
    files = [bar_file(random_walk(3000, 1, symbol="SYNTH_A")), bar_file(random_walk(2500, 2, symbol="SYNTH_B"))]
    return TimeSeriesDataContainer.from_built(build_dataset(files, config), 5)


@pytest.fixture(scope="session")
def two_built():
    """Two symbols with rows in every part."""
    config = DatasetConfig(horizons=(5,), features=COLUMNS, embargo_days="auto")
    files = [bar_file(random_walk(3000, 1, symbol="SYNTH_A")), bar_file(random_walk(2900, 2, symbol="SYNTH_B"))]
    return build_dataset(files, config)
