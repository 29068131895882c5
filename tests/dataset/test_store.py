from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from markets import COLUMNS, bar_file

from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.build import build_dataset
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.settings import BarrierOverride, DatasetConfig
from ohlcv_factory.dataset.store import read_dataset, read_manifest, write_dataset
from ohlcv_factory.dataset.summary import summarise
from ohlcv_factory.errors import DataError, InputMissingError, OutputError, UnknownNameError
from ohlcv_factory.labels.fixed_horizon import FixedHorizonRule


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


@pytest.fixture(scope="module")
def rolled():
    """Five-minute bars of two contracts, made of one-minute bars."""
    source = random_walk(15_000, 5, bar_seconds=60)
    contract = (np.arange(15_000) >= 7_500).astype(np.int32)
    config = DatasetConfig(
        bar_size="5min", horizons=(5,), features=COLUMNS, timeframes=(), history_bars=0, embargo_days="auto",
        barriers={5: BarrierOverride(k_up=0.5, k_down=0.5)},
    )  # fmt: skip
    built = build_dataset([bar_file(source)], config)
    symbol = built.symbols[0]
    bars = replace(symbol.bars, contract=contract[::5], contract_names=("H4", "M4"))
    source = replace(source, contract=contract, contract_names=("H4", "M4"))
    return replace(built, symbols=(replace(symbol, bars=bars, source=source),))


def test_source_bars_and_contracts_come_back_as_they_were(rolled, tmp_path):
    folder = write_dataset(rolled, tmp_path / "dataset", {})
    written, read = rolled.symbols[0], read_dataset(folder).symbols[0]
    for one, other in ((written.bars, read.bars), (written.source, read.source)):
        assert other.contract_names == one.contract_names
        assert other.bar_seconds == one.bar_seconds
        for name in ("time_ns", "open", "high", "low", "close", "volume", "contract"):
            assert np.array_equal(getattr(other, name), getattr(one, name)), name
    assert read.labels[5].path.resolved.sum() == written.labels[5].path.resolved.sum() > 0


def test_changed_source_bars_are_refused_by_their_digest(rolled, tmp_path):
    path = write_dataset(rolled, tmp_path / "dataset", {}) / "SYNTH.source.parquet"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(DataError, match=r"SYNTH\.source\.parquet is not the file that was written"):
        read_dataset(path.parent)


def test_a_fixed_horizon_comes_back_as_it_was(tmp_path):
    config = DatasetConfig(horizons=(5,), features=COLUMNS, embargo_days="auto", label="fixed_horizon", theta=0.7)
    built = build_dataset([bar_file(random_walk(3000, 1))], config)
    read = read_dataset(write_dataset(built, tmp_path / "dataset", {})).symbols[0].labels[5]
    assert read.rule == FixedHorizonRule(theta=0.7, horizon=5)
    assert np.array_equal(read.path.favourable, built.symbols[0].labels[5].path.favourable)


def test_writing_twice_gives_the_same_bytes(dataset, folder, tmp_path):
    again = write_dataset(dataset, tmp_path / "again", summarise(dataset))
    for path in folder.iterdir():
        assert path.read_bytes() == (again / path.name).read_bytes(), path.name


def test_the_parquet_file_speaks_in_words(folder):
    frame = pl.read_parquet(folder / "SYNTH.parquet")
    assert set(frame["h20_label"].drop_nulls().unique()) == {"short", "neutral", "long"}
    assert frame["h20_label"].tail(60).null_count() == 60
    assert {"part", "h20_quality_time", "h20_uniqueness", "h20_ambiguous", "h20_resolved", "h20_label_end"} <= set(
        frame.columns
    )
    assert {"h20_return", "h20_adverse", "h20_favourable", "h20_touch"} <= set(frame.columns)


def test_the_matrix_repeats_the_feature_columns_and_is_mapped_not_read(dataset, folder):
    frame = pl.read_parquet(folder / "SYNTH.parquet")
    stored = read_dataset(folder).symbols[0].features
    by_column = np.stack([frame[name].to_numpy() for name in dataset.feature_names], axis=1)
    assert stored.tobytes() == by_column.tobytes()
    assert isinstance(stored.base, np.memmap)
    assert not stored.flags.writeable


@pytest.mark.parametrize("name", ["SYNTH.parquet", "SYNTH.features.npy"])
def test_a_changed_file_is_refused_by_its_digest(folder, name):
    path = folder / name
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(bytes(damaged))
    with pytest.raises(
        DataError, match=r"is not the file that was written: sha256 [0-9a-f]{12}, [0-9a-f]{12} wanted"
    ) as caught:
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
    with pytest.raises(DataError, match="dataset schema 99, this version reads 1, 2"):
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


@pytest.fixture
def folder_of_two(two_built, tmp_path):
    return write_dataset(two_built, tmp_path / "two", summarise(two_built))


def test_one_symbol_is_read_with_the_dates_of_all_and_without_the_files_of_the_other(two_built, folder_of_two):
    for name in ("SYNTH_A.parquet", "SYNTH_A.features.npy"):
        (folder_of_two / name).unlink()
    read = read_dataset(folder_of_two, symbol="SYNTH_B")
    assert [symbol.bars.symbol for symbol in read.symbols] == ["SYNTH_B"]
    assert read.borders_ns == two_built.borders_ns
    assert [account["symbol"] for account in read.accounts] == ["SYNTH_B"]
    assert read.fingerprint == two_built.only("SYNTH_B").fingerprint
    assert np.array_equal(read.symbols[0].part, two_built.symbols[1].part)


def test_a_symbol_that_is_not_there_is_refused_with_the_nearest(folder_of_two):
    with pytest.raises(UnknownNameError, match=r"Unknown symbol 'SYNTH_C'\. Did you mean 'SYNTH_"):
        read_dataset(folder_of_two, symbol="SYNTH_C")


def test_a_damaged_file_of_the_one_symbol_is_refused(folder_of_two):
    path = folder_of_two / "SYNTH_B.features.npy"
    path.write_bytes(path.read_bytes()[:-4] + b"1234")
    with pytest.raises(DataError, match=r"SYNTH_B\.features\.npy is not the file that was written"):
        read_dataset(folder_of_two, symbol="SYNTH_B")
