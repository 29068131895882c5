"""A dataset continued by newer bars has the bytes of one built from all bars with the same pins."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from markets import COLUMNS, bar_file

from ohlcv_factory.bars.rolls import Rolls
from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset import update
from ohlcv_factory.dataset.build import build_dataset
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.dataset.store import read_dataset, read_manifest, write_dataset
from ohlcv_factory.dataset.summary import summarise
from ohlcv_factory.dataset.update import update_dataset
from ohlcv_factory.errors import DataError, UnknownNameError, UsageError
from ohlcv_factory.features import catalogue

SMALL = {"horizons": (5,), "features": COLUMNS, "embargo_days": "auto"}


def stored(folder, files, **changed):
    """A dataset on disk, read back, with its manifest."""
    dataset = build_dataset(files, DatasetConfig(**{**SMALL, **changed}))
    write_dataset(dataset, folder, summarise(dataset))
    return read_dataset(folder), read_manifest(folder)


def folder_bytes(folder, dataset):
    write_dataset(dataset, folder, summarise(dataset))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def whole_build(start, files):
    return build_dataset(files, start.config, pins=start.pins)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({}, id="bars as they come"),
        pytest.param({"features": None, "timeframes": ("15min",)}, id="every column"),
        pytest.param({"bar_size": "15min", "features": ("return_1", "rsi_14"), "history_bars": 0}, id="resampled"),
        pytest.param({"cost_aware": True, "session_end": True}, id="label options"),
    ],
)
def test_an_update_has_the_bytes_of_a_whole_build(tmp_path, changed):
    bars = random_walk(9000, 3)
    start, manifest = stored(tmp_path / "start", [bar_file(bars.head(8001))], **changed)
    updated = update_dataset(start, [bar_file(bars)], manifest)
    whole = folder_bytes(tmp_path / "whole", whole_build(start, [bar_file(bars)]))
    assert folder_bytes(tmp_path / "updated", updated) == whole
    assert updated.fingerprint != start.fingerprint


def test_only_the_new_rows_are_computed(tmp_path, monkeypatch):
    bars = random_walk(4400, 3)
    start, manifest = stored(tmp_path / "start", [bar_file(bars.head(4000))])
    asked = []
    compute = catalogue.compute

    def spying(*arguments, first_row=0):
        asked.append(first_row)
        return compute(*arguments, first_row=first_row)

    monkeypatch.setattr(catalogue, "compute", spying)
    update_dataset(start, [bar_file(bars)], manifest)
    assert asked == [4000]


@pytest.mark.parametrize("first", [3000, 4000, 4100])
def test_newer_bars_alone_do_when_they_overlap_or_follow(tmp_path, first):
    bars = random_walk(4400, 3)
    start, manifest = stored(tmp_path / "start", [bar_file(bars.head(4000))])
    kept = bars.take(np.r_[0:4000, max(first, 4000) : 4400])
    updated = update_dataset(start, [bar_file(bars.slice(first, 4400))], manifest)
    whole = whole_build(start, [bar_file(kept)])
    assert updated.symbols[0].features.tobytes() == whole.symbols[0].features.tobytes()
    assert updated.fingerprint == whole.fingerprint
    assert updated.accounts[0]["source"].count(", then ") == 1


def test_parts_keep_their_dates_and_new_rows_are_test_rows(tmp_path):
    bars = random_walk(4400, 3)
    start, manifest = stored(tmp_path / "start", [bar_file(bars.head(4000))])
    updated = update_dataset(start, [bar_file(bars)], manifest)
    assert updated.pins == start.pins
    assert (updated.symbols[0].part[4000:] == 2).all()
    assert np.array_equal(updated.symbols[0].part[:4000], start.symbols[0].part)
    assert updated.symbols[0].labels[5].path.labelled[3990:4000].all()  # labels at the old end are known now


def test_resplit_finds_parts_and_columns_again(tmp_path):
    bars = random_walk(6000, 3)
    start, manifest = stored(tmp_path / "start", [bar_file(bars.head(4000))])
    again = update_dataset(start, [bar_file(bars.slice(4000, 6000))], manifest, resplit=True)
    anew = build_dataset([bar_file(bars)], start.config)
    assert again.borders_ns == anew.borders_ns != start.borders_ns
    assert again.fingerprint == anew.fingerprint


def test_one_of_several_symbols_may_be_continued_alone(tmp_path):
    one, other = (random_walk(4400, seed, symbol=f"SYNTH{seed}") for seed in (1, 2))
    start, manifest = stored(tmp_path / "start", [bar_file(one.head(4000)), bar_file(other.head(4000))])
    updated = update_dataset(start, [bar_file(other)], manifest)
    whole = whole_build(start, [bar_file(one.head(4000)), bar_file(other)])
    assert [len(symbol.bars) for symbol in updated.symbols] == [4000, 4400]
    assert updated.fingerprint == whole.fingerprint


@pytest.mark.parametrize("handling", ["adjust", "cut"])
def test_a_new_contract_may_come_with_the_newer_bars(tmp_path, handling):
    bars = random_walk(5000, 3)
    codes = np.repeat(np.arange(3, dtype=np.int32), [1500, 3000, 500])
    rolled = replace(bars, contract=codes, contract_names=("H", "M", "U"))
    later = replace(rolled.slice(4400, 5000), contract=codes[4400:] - 1, contract_names=("M", "U"))
    rolls = Rolls(handling=handling)
    start, manifest = stored(
        tmp_path / "start",
        [bar_file(replace(rolled.head(4400), contract_names=("H", "M")))],
        rolls=rolls,
        history_bars=0,
    )
    updated = update_dataset(start, [bar_file(later)], manifest)
    whole = whole_build(start, [bar_file(rolled)])
    assert updated.symbols[0].features.tobytes() == whole.symbols[0].features.tobytes()
    assert updated.fingerprint == whole.fingerprint


def test_history_that_was_rewritten_is_refused_with_its_first_bar(tmp_path):
    bars = random_walk(4400, 3)
    start, manifest = stored(tmp_path / "start", [bar_file(bars.head(4000))])
    volume = bars.volume.copy()
    volume[[100, 200]] += 1
    with pytest.raises(DataError, match=r"2 bars differ .* first at 2024-01-01T08:20:00Z: volume was") as caught:
        update_dataset(start, [bar_file(replace(bars, volume=volume))], manifest)
    assert caught.value.exit_code == 65


@pytest.mark.parametrize(
    ("rows", "says"),
    [((0, 4000), "no bar is newer"), ((0, 3990), "before the dataset's last bar"), ((3000, 3500), "before the")],
)
def test_bars_that_bring_nothing_new_are_refused(tmp_path, rows, says):
    bars = random_walk(4400, 3)
    start, manifest = stored(tmp_path / "start", [bar_file(bars.head(4000))])
    with pytest.raises(DataError, match=says):
        update_dataset(start, [bar_file(bars.slice(*rows))], manifest)


def test_bars_of_another_size_or_symbol_are_refused(tmp_path):
    start, manifest = stored(tmp_path / "start", [bar_file(random_walk(4000, 3))])
    with pytest.raises(DataError, match="built from 5min bars, these are 10min bars"):
        update_dataset(start, [bar_file(random_walk(4000, 3, bar_seconds=600))], manifest)
    with pytest.raises(UnknownNameError, match="Did you mean 'SYNTH'"):
        update_dataset(start, [bar_file(random_walk(4000, 3, symbol="SYNTHY"))], manifest)


def test_another_version_of_the_factory_must_build_anew(tmp_path, monkeypatch):
    bars = random_walk(4400, 3)
    start, manifest = stored(tmp_path / "start", [bar_file(bars.head(4000))])
    monkeypatch.setattr(update, "__version__", "9.9")
    with pytest.raises(UsageError, match=r"this is 9\.9, catalogue") as caught:
        update_dataset(start, [bar_file(bars)], manifest)
    assert "--resplit" in caught.value.help
    assert len(update_dataset(start, [bar_file(bars)], manifest, resplit=True).symbols[0].bars) == 4400
