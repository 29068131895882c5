from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from ohlcv_factory.errors import DataError
from ohlcv_factory.reports.equity import drawdown, equity_lines
from ohlcv_factory.reports.reported_run import read_groups


@pytest.fixture
def lines(run, dataset):
    return {line.name: line.y for line in equity_lines(read_groups([run])[run.group], dataset)}


def test_a_curve_ends_at_the_return_of_the_scores(run, lines):
    assert lines["logistic"][-1] == pytest.approx(run.evaluation["trading"]["total_return"], abs=1e-12)


def test_buy_and_hold_ends_where_its_baseline_ends(run, lines):
    expected = run.evaluation["baselines"]["buy_and_hold"]["trading"]
    assert lines["buy and hold"][-1] == pytest.approx(expected["total_return"], abs=1e-12)
    assert drawdown(lines["buy and hold"]).min() == pytest.approx(expected["max_drawdown"], abs=1e-12)


def test_the_deepest_drawdown_is_that_of_the_scores(run, lines):
    deepest = drawdown(lines["logistic"]).min()
    assert deepest == pytest.approx(run.evaluation["trading"]["max_drawdown"], abs=1e-12)


def test_without_the_dataset_there_is_no_buy_and_hold(run):
    assert [line.name for line in equity_lines(read_groups([run])[run.group], None)] == ["logistic"]


def test_drawdown_starts_from_a_peak_of_zero():
    assert drawdown(np.array([-1.0, 2.0, 0.5, 3.0])).tolist() == [-1.0, 0.0, -1.5, 0.0]


def test_a_damaged_path_is_refused_by_name(run, tmp_path):
    folder = shutil.copytree(run.path, tmp_path / run.path.name)
    (folder / "predictions" / "val_path.parquet").write_bytes(b"no parquet")
    with pytest.raises(DataError, match=r"val_path\.parquet is a damaged Parquet file"):
        equity_lines(read_groups([replace(run, path=folder)])[run.group], None)
