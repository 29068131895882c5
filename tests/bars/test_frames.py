"""A frame gives the bars of the file with the same values, whichever library it comes from."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest

from ohlcv_factory.bars.load import BarFile, ReadOptions, bars_from_frame
from ohlcv_factory.errors import DataError, UsageError

START_NS = 1_704_153_600_000_000_000  # 2024-01-02 00:00 UTC
TIMES_NS = [START_NS, START_NS + 300_000_000_000, START_NS + 600_000_000_000]
Clock = Callable[[], datetime]


def test_a_polars_frame_gives_the_bars_of_its_file(good: str, now: Clock, read: Callable[..., BarFile]) -> None:
    result = bars_from_frame(read(good).bars.frame(), ReadOptions(symbol="BTC"), clock=now)
    assert result.bars.time_ns.tolist() == TIMES_NS
    assert result.bars.close.tolist() == [1.25, 1.75, 2.0]
    assert len(result.account.sha256) == 64


@pytest.mark.parametrize("where", ["index", "column", "text"])
def test_a_pandas_frame_gives_the_bars_of_its_file(where: str, good: str, now: Clock) -> None:
    frame = pd.read_csv(io.StringIO(good))
    if where != "text":
        frame["timestamp"] = pd.to_datetime(frame["timestamp"])
    if where == "index":
        frame = frame.set_index("timestamp").tz_convert("America/New_York")
    result = bars_from_frame(frame, ReadOptions(symbol="BTC"), clock=now).bars
    assert result.time_ns.tolist() == TIMES_NS
    assert result.volume.tolist() == [10.0, 20.0, 30.0]
    assert result.close.flags.writeable


def test_a_naive_pandas_index_needs_a_zone(good: str, now: Clock) -> None:
    frame = pd.read_csv(io.StringIO(good.replace("Z", "")), index_col="timestamp", parse_dates=True)
    with pytest.raises(DataError, match="carries no time zone: row 1") as caught:
        bars_from_frame(frame, clock=now)
    assert caught.value.where == "frame:1"
    assert bars_from_frame(frame, ReadOptions(tz="UTC"), clock=now).bars.time_ns.tolist() == TIMES_NS


@pytest.mark.parametrize(("column", "rule"), [("close", "is not finite"), ("timestamp", "is no time")])
def test_a_missing_value_in_a_frame_is_placed(column: str, rule: str, good: str, now: Clock) -> None:
    frame = pd.read_csv(io.StringIO(good))
    frame.loc[1, column] = np.nan
    with pytest.raises(DataError, match=rule) as caught:
        bars_from_frame(frame, clock=now)
    assert caught.value.where == "frame:2"


def test_the_callers_frame_stays_as_it_is(good: str, now: Clock) -> None:
    frame = pd.read_csv(io.StringIO(good))
    before = frame.copy()
    bars_from_frame(frame, clock=now).bars.close[:] = 0.0
    pd.testing.assert_frame_equal(frame, before)


def test_columns_without_rows_are_no_bars(typed: pl.DataFrame, now: Clock) -> None:
    with pytest.raises(DataError, match="frame has columns and 0 bars"):
        bars_from_frame(typed.head(0), clock=now)


@pytest.mark.parametrize("value", [{"close": [1.0]}, [1.0], None, pd.Series([1.0])])
def test_anything_but_a_frame_is_refused(value: object) -> None:
    with pytest.raises(UsageError, match=f"got {type(value).__name__}"):
        bars_from_frame(value)
