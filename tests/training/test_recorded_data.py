from __future__ import annotations

import pytest
from markets import COLUMNS, bar_file

from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.build import build_dataset
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.dataset.store import write_dataset
from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.training.recorded_data import recorded_container


@pytest.fixture(scope="module")
def datasets(tmp_path_factory):
    """Two dataset folders of other bars, the first as a run or study recorded it, and its manifest."""
    config = DatasetConfig(horizons=(5,), features=COLUMNS, embargo_days="auto")
    place = tmp_path_factory.mktemp("recorded")
    for seed in (1, 2):
        write_dataset(build_dataset([bar_file(random_walk(2500, seed))], config), place / f"dataset_{seed}", {})
    made_on = TimeSeriesDataContainer.from_dataset(place / "dataset_1", 5)
    return place, {"horizon": 5, "data_fingerprint": made_on.fingerprint}


def test_the_dataset_of_the_recipe_is_found_and_one_that_moved_is_named(datasets):
    place, manifest = datasets
    recorded = recorded_container(place, manifest, {"dataset": str(place / "dataset_1")})
    moved = recorded_container(place, manifest, {"dataset": "gone"}, place / "dataset_1")
    assert recorded.row_digest() == moved.row_digest()
    assert recorded.fingerprint == manifest["data_fingerprint"]


def test_one_symbol_is_recorded_by_its_name(datasets):
    place, manifest = datasets
    symbol = TimeSeriesDataContainer.from_dataset(place / "dataset_1", 5).symbols[0]
    recipe = {"dataset": str(place / "dataset_1"), "symbol": symbol}
    assert recorded_container(place, manifest, recipe).symbols == (symbol,)


def test_another_dataset_and_one_that_was_never_written_are_refused(datasets):
    place, manifest = datasets
    with pytest.raises(DataError, match="dataset_2 is not the dataset that it was made on"):
        recorded_container(place, manifest, {"dataset": str(place / "dataset_2")})
    with pytest.raises(UsageError, match="made in memory"):
        recorded_container(place, manifest, {"dataset": None})
