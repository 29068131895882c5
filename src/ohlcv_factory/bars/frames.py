"""Polars and pandas frames in, polars columns out."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from ohlcv_factory.bars.table import folded_name
from ohlcv_factory.bars.wide import FIELDS, long_table
from ohlcv_factory.errors import UsageError


def frame_columns(frame: Any) -> list[pl.Series]:
    """Columns of a polars or pandas frame as polars series, with a pandas DatetimeIndex first.

    Raises UsageError (2) for anything that is no frame.
    """
    if isinstance(frame, pl.DataFrame):
        return frame.get_columns()
    if type(frame).__module__.partition(".")[0] != "pandas" or not hasattr(frame, "columns"):
        raise UsageError(
            f"bars come in a polars or pandas DataFrame, got {type(frame).__name__}.",
            where="frame",
            help="convert it first",
        )
    if frame.columns.nlevels > 1:
        return _long_columns(frame)
    named = [(str(name), frame.iloc[:, position]) for position, name in enumerate(frame.columns)]
    if frame.index.dtype.kind == "M":
        named.insert(0, (str(frame.index.name or "timestamp"), frame.index.to_series()))
    return [_pandas_column(name, values) for name, values in named]


def _long_columns(frame: Any) -> list[pl.Series]:
    """A pandas frame with (field, ticker) columns, as yfinance gives it, as rows of one ticker below the other."""
    keys = [tuple(str(level) for level in name) for name in frame.columns]
    fields = [next((level for level in key if folded_name(level) in FIELDS), key[0]) for key in keys]
    tickers = [next((level for level in key if level != field), "") for key, field in zip(keys, fields, strict=True)]
    values = [_pandas_column(str(place), frame.iloc[:, place]).fill_nan(None) for place in range(len(keys))]
    time = _pandas_column(str(frame.index.name or "timestamp"), frame.index.to_series())
    table = long_table(
        pl.DataFrame([time, *values]), list(zip(fields, tickers, strict=True)), np.arange(len(frame)), "frame", None
    )
    return table.frame.get_columns()


def _pandas_column(name: str, values: Any) -> pl.Series:
    """One pandas column through NumPy, so that pyarrow is not needed."""
    if values.dtype.kind == "M":
        return _pandas_times(name, values)
    absent = values.isna().to_numpy()
    if values.dtype.kind in "iuf" and not absent.any():
        return pl.Series(name, np.array(values.to_numpy(dtype=f"{values.dtype.kind}8")))
    if values.dtype.kind in "iuf":
        return pl.Series(name, values.to_numpy(dtype="f8", na_value=np.nan))
    texts = [None if missing else str(value) for value, missing in zip(values, absent, strict=True)]
    return pl.Series(name, texts, dtype=pl.String)


def _pandas_times(name: str, values: Any) -> pl.Series:
    zone = values.dt.tz
    naive = values if zone is None else values.dt.tz_convert("UTC").dt.tz_localize(None)
    times = pl.Series(name, np.array(naive.to_numpy(dtype="M8[us]")))
    if zone is None:
        return times
    return times.dt.replace_time_zone("UTC").dt.convert_time_zone(getattr(zone, "key", "UTC"))
