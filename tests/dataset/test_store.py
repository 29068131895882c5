from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from markets import bar_file

from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.build import build_dataset
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.dataset.store import read_dataset, read_manifest, write_dataset
from ohlcv_factory.dataset.summary import summarise
from ohlcv_factory.errors import DataError, InputMissingError, OutputError


@pytest.fixture
def folder(dataset, tmp_path):
    return write_dataset(dataset, tmp_path / "dataset", summarise(dataset))


def test_what_is_read_equals_what_was_written(dataset, folder):
    for horizon in (5, 20):
        written = TimeSeriesDataContainer.from_built(dataset, horizon)
        read = TimeSeriesDataContainer.from_dataset(folder, horizon)
        assert read.fingerprint == written.fingerprint
        assert read.row_digest() == written.row_digest()
        assert read.features.tobytes() == written.features.tobytes()
        for name in written.labels.__dataclass_fields__:
            assert np.array_equal(getattr(read.labels, name), getattr(written.labels, name)), name
        assert np.array_equal(read.markets[0].atr, written.markets[0].atr, equal_nan=True)


def test_writing_twice_gives_the_same_bytes(dataset, folder, tmp_path):
    again = write_dataset(dataset, tmp_path / "again", summarise(dataset))
    for path in folder.iterdir():
        assert path.read_bytes() == (again / path.name).read_bytes(), path.name


def test_the_parquet_file_speaks_in_words(folder):
    frame = pl.read_parquet(folder / "SYNTH.parquet")
    assert set(frame["h20_label"].drop_nulls().unique()) == {"short", "neutral", "long"}
    assert frame["h20_label"].tail(60).null_count() == 60
    assert {"part", "h20_quality_time", "h20_uniqueness", "h20_ambiguous", "h20_label_end"} <= set(frame.columns)


def test_a_changed_file_is_refused_by_its_digest(folder):
    path = folder / "SYNTH.parquet"
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(bytes(damaged))
    with pytest.raises(DataError, match="its digest differs from the manifest's") as caught:
        read_dataset(folder)
    assert caught.value.exit_code == 65


def test_a_half_written_dataset_is_never_read(folder):
    (folder / "dataset.json").unlink()
    with pytest.raises(InputMissingError, match=r"holds no dataset\.json"):
        read_dataset(folder)


def test_a_missing_folder_says_how_to_make_one(tmp_path):
    with pytest.raises(InputMissingError) as caught:
        read_dataset(tmp_path / "none")
    assert (caught.value.exit_code, caught.value.help) == (66, "ohlcv-factory data build FILE --out DIR")


def test_a_newer_schema_is_refused(folder):
    manifest = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps({**manifest, "schema_version": 99}))
    with pytest.raises(DataError, match="dataset schema 99, this version reads 1"):
        read_manifest(folder)


def test_a_folder_that_holds_something_is_not_overwritten(dataset, folder):
    with pytest.raises(OutputError, match="is not empty") as caught:
        write_dataset(dataset, folder, {})
    assert caught.value.exit_code == 73


def test_raw_columns_come_back_from_the_bars_which_keep_their_precision(tmp_path):
    bars = random_walk(3000, 1)
    config = DatasetConfig.parse({"horizons": [5], "features": ["return_1", "close", "volume"], "embargo_days": "auto"})
    built = build_dataset([bar_file(bars)], config)
    read = read_dataset(write_dataset(built, tmp_path / "raw", summarise(built)))
    assert read.feature_names == ("return_1", "close", "volume")
    assert read.symbols[0].features.tobytes() == built.symbols[0].features.tobytes()
    assert np.array_equal(read.symbols[0].bars.close, bars.close)
