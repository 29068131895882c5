from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ohlcv_factory.errors import InputMissingError
from ohlcv_factory.reports.dataset_report import write_dataset_report


@pytest.fixture
def copied(dataset, tmp_path) -> Path:
    """The manifest alone."""
    shutil.copy(dataset / "dataset.json", tmp_path / "dataset.json")
    return tmp_path


def edit(folder: Path, **changes) -> None:
    path = folder / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_the_same_dataset_gives_the_same_bytes_from_its_manifest_alone(copied):
    first = write_dataset_report(copied).read_bytes()
    assert write_dataset_report(copied).read_bytes() == first
    assert (copied / "report.html").is_file()


def test_every_section_is_there(copied):
    html = write_dataset_report(copied).read_text()
    for section in ("sources", "symbols", "parts", "labels", "columns", "provenance"):
        assert f'<section id="{section}">' in html


def test_bars_barriers_and_columns_are_named(copied):
    html = write_dataset_report(copied).read_text()
    assert "Dataset: SYNTHA and SYNTHB, 5-minute bars" in html
    assert "6\u202f000 bars of 2 symbols, 4 columns" in html
    assert "+1.2 / −1.2 ATR, 15 bars" in html
    assert '<th scope="row">momentum</th><td>1</td><td>rsi_14</td>' in html


def test_class_shares_stand_beside_those_of_a_random_walk(copied):
    html = write_dataset_report(copied).read_text()
    labels = json.loads((copied / "dataset.json").read_text())["summary"]["symbols"]["SYNTHA"]["horizons"]["5"]
    for shares in (labels["class_shares"], labels["random_walk_shares"]):
        assert f"<td>{100 * shares['neutral']:.1f}\u202f%</td>" in html


def test_columns_left_out_stand_under_their_reason(copied):
    edit(copied, left_out={"vwap": "no volume", "mfi_14": "no volume"})
    assert '<th scope="row">vwap, mfi_14</th><td>no volume</td>' in write_dataset_report(copied).read_text()


def test_generic_costs_are_pointed_out(copied):
    assert "costs and calendar are generic: SYNTHA, SYNTHB." in write_dataset_report(copied).read_text()


def test_warnings_are_counted_and_inert(copied):
    edit(copied, warnings=["<script>alert(1)</script>"])
    html = write_dataset_report(copied).read_text()
    assert "1 warning: see Sources." in html
    assert "&lt;script&gt;alert(1)" in html
    assert "<script" not in html


def test_too_many_columns_for_the_rows_are_a_warning_of_the_build(copied):
    summary = json.loads((copied / "dataset.json").read_text())["summary"]
    edit(
        copied,
        summary={**summary, "sample_to_feature": {**summary["sample_to_feature"], "warning": "too many columns"}},
    )
    assert "<li>too many columns</li>" in write_dataset_report(copied).read_text()


def test_a_folder_without_a_dataset_is_refused(tmp_path):
    with pytest.raises(InputMissingError, match=r"holds no dataset\.json"):
        write_dataset_report(tmp_path)
