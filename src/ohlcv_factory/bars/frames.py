"""Polars and pandas frames in, polars columns out."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

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
    named = [(str(name), frame.iloc[:, position]) for position, name in enumerate(frame.columns)]
    if frame.index.dtype.kind == "M":
        named.insert(0, (str(frame.index.name or "timestamp"), frame.index.to_series()))
    return [_pandas_column(name, values) for name, values in named]


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
