"""Small data that several test folders share."""

from __future__ import annotations

from ohlcv_factory.bars.load import BarFile, ReadAccount

COLUMNS = ("return_1", "return_5", "rsi_14", "atr_pct_14", "volume_ratio", "hour_sin")
"""A few columns of different categories, enough for a dataset that builds in no time."""


def bar_file(bars):
    """Bars as if they had been read from a file."""
    return BarFile(bars, ReadAccount("memory", "0" * 64, len(bars), "", "", ("zone: UTC",), ()))
