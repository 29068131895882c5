from __future__ import annotations

import shutil

import numpy as np
import polars as pl
import pytest

from ohlcv_factory.errors import VerificationError
from ohlcv_factory.evaluation.comparison import PAIRED_SCORES, standings
from ohlcv_factory.studies.finished_runs import FinishedRun, find_runs, score
from ohlcv_factory.studies.session_records import record_files, session_record


@pytest.fixture(scope="module", params=["one_symbol", "two_symbols"])
def run(request, board_runs):
    return FinishedRun.read(board_runs[request.param][0])


def test_the_record_of_a_run_gives_back_the_scores_that_the_run_was_given(run):
    record = session_record(run)
    for by in PAIRED_SCORES:
        (found,) = standings([record], by)
        assert found.value == pytest.approx(score(run, by), rel=1e-9), by
    assert len(record.days) == run.evaluation["trading"]["sessions"]
    assert record.labels[0, :, -1].sum() == run.evaluation["rows"]["scored"]


def test_the_scores_of_a_study_are_the_means_over_its_paths(board_studies):
    for study in find_runs(board_studies, part="oof"):
        record = session_record(study)
        assert record.daily.shape == (2, len(record.days))
        for by in PAIRED_SCORES:
            (found,) = standings([record], by)
            assert found.value == pytest.approx(score(study, by), rel=1e-9), by


def test_label_blocks_hold_the_rows_that_outlast_the_labels(run):
    record = session_record(run)
    rows_per_session = record.labels[0, :, -1].mean()
    assert record.label_block * rows_per_session >= run.evaluation["classification"]["direction_block_rows"]


def test_pnl_is_the_mean_over_symbols_of_each_session(run):
    path = pl.read_parquet(record_files(run)[0][1])
    by_date = path.group_by(pl.col("time").dt.date().alias("day")).agg(pl.col("net").sum()).sort("day")
    expected = by_date["net"].to_numpy() / path["symbol"].n_unique()  # sessions of these symbols are days of UTC
    np.testing.assert_allclose(session_record(run).daily[0], expected, atol=1e-15)


def test_predictions_that_were_changed_or_are_gone_are_refused(run, tmp_path):
    copy = FinishedRun.read(shutil.copytree(run.path, tmp_path / run.path.name))
    ((answers, path),) = record_files(copy)
    pl.read_parquet(path).with_columns(net=pl.lit(1.0)).write_parquet(path)
    with pytest.raises(VerificationError, match=r"predictions/val_path.parquet is not the file that was written"):
        session_record(copy)
    answers.unlink()
    with pytest.raises(VerificationError, match=r"predictions/val_predictions.parquet is missing"):
        session_record(copy)
