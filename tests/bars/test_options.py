"""An option that cannot act is a usage error, never silence."""

from __future__ import annotations

import io
from collections.abc import Callable

import polars as pl
import pytest

from ohlcv_factory.bars.load import BarFile, bars_from_frame
from ohlcv_factory.bars.options import ReadOptions, refuse_options
from ohlcv_factory.errors import UsageError


def test_only_an_option_that_was_set_is_refused() -> None:
    refuse_options(ReadOptions(symbol="BTC"), ("tz", "time_unit"), "times are dates")
    with pytest.raises(UsageError) as caught:
        refuse_options(ReadOptions(time_unit="ms"), ("tz", "time_unit"), "times are dates")
    assert caught.value.exit_code == 2
    assert caught.value.what == "time_unit='ms' cannot apply: times are dates."
    assert (caught.value.where, caught.value.help) == ("--time-unit", "leave --time-unit out")


def test_a_recorded_dialect_can_be_unset() -> None:
    assert ReadOptions.parse({"dialect": "auto"}) == ReadOptions()


@pytest.mark.parametrize(
    "option", [{"delimiter": ";"}, {"date_format": "%Y"}, {"encoding": "latin-1"}, {"decimal": ","}]
)
def test_text_options_are_refused_for_parquet(
    option: dict[str, object], typed: pl.DataFrame, read: Callable[..., BarFile]
) -> None:
    buffer = io.BytesIO()
    typed.write_parquet(buffer)
    with pytest.raises(UsageError, match="cannot apply"):
        read(buffer.getvalue(), "a.parquet", **option)


def test_text_options_are_refused_for_frames(typed: pl.DataFrame) -> None:
    with pytest.raises(UsageError, match="frame is no text file"):
        bars_from_frame(typed, ReadOptions(thousands=","))
