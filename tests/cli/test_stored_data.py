"""`data describe` and `data update` as a user meets them."""

from __future__ import annotations

import shutil

import pytest
from command_line import DATASET, call, succeed, train, write_bars

from ohlcv_factory.storage import atomic
from ohlcv_factory.storage.formats import read_json


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A file of 6300 bars, and a dataset of the first 6000."""
    place = tmp_path_factory.mktemp("grown")
    bars = write_bars(place / "SYNTH_5min.csv", 6300)
    (place / "first").mkdir()
    (place / "first" / "SYNTH_5min.csv").write_text("".join(bars.read_text().splitlines(keepends=True)[:6001]))
    succeed("data", "build", place / "first" / "SYNTH_5min.csv", "--out", place / "dataset", *DATASET)
    return place


@pytest.fixture
def grown(tmp_path, built):
    """The dataset in a folder of its own, and the file with 300 more bars."""
    shutil.copytree(built / "dataset", tmp_path / "dataset")
    shutil.copy(built / "SYNTH_5min.csv", tmp_path)
    return tmp_path / "dataset", tmp_path / "SYNTH_5min.csv"


def test_describe_says_what_a_dataset_holds(dataset):
    text = succeed("data", "describe", dataset).out
    assert "train: " in text and "walk short" in text
    facts = succeed("data", "describe", dataset, "--json").json
    assert facts["fingerprint"] == read_json(dataset / "dataset.json")["fingerprint"]
    assert facts["config"]["horizons"] == [5, 10]


def test_an_update_takes_the_place_of_the_dataset_and_leaves_nothing_else(grown):
    folder, bars = grown
    before = read_json(folder / "dataset.json")
    answer = succeed("data", "update", folder, bars, "--json").json
    after = read_json(folder / "dataset.json")
    assert answer["dataset"] == str(folder)
    assert after["borders_ns"] == before["borders_ns"]
    assert [symbol["bars"] for symbol in after["symbols"]] == [6300]
    assert (folder / "report.html").is_file()
    assert sorted(path.name for path in folder.parent.iterdir()) == ["SYNTH_5min.csv", "dataset"]
    train(folder, folder.parent / "runs")


def test_resplit_moves_the_borders(grown):
    folder, bars = grown
    before = read_json(folder / "dataset.json")["borders_ns"]
    succeed("data", "update", folder, bars, "--resplit")
    assert read_json(folder / "dataset.json")["borders_ns"] > before


def test_an_update_needs_a_file_and_a_dataset(grown, tmp_path):
    folder, bars = grown
    answer = call("data", "update", folder)
    assert (answer.code, "no bar file was named" in answer.err) == (2, True)
    assert call("data", "update", tmp_path / "none", bars).code == 66


def test_an_update_that_fails_leaves_the_dataset_as_it_was(grown):
    folder, bars = grown
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    bars.write_text(bars.read_text().replace(",1", ",2", 5))
    assert call("data", "update", folder, bars).code == 65
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_reading_options_of_the_build_hold_and_flags_override_them(grown):
    folder, bars = grown
    answer = call("data", "update", folder, bars, "--tz", "Mars/Phobos")
    assert answer.code == 2 and "Mars/Phobos" in answer.err


def test_an_update_that_was_cut_off_says_where_the_dataset_is(grown, monkeypatch):
    folder, bars = grown
    rename = atomic.os.rename

    def power_cut(source, target):
        if str(target) == str(folder):
            raise KeyboardInterrupt
        rename(source, target)

    monkeypatch.setattr(atomic.os, "rename", power_cut)
    assert call("data", "update", folder, bars).code == 130
    answer = call("data", "describe", folder)
    assert answer.code == 66
    assert f"mv {folder}.previous {folder}" in answer.err
