"""Tables on disk: Parquet, written in one step, read so that damage is one sentence."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from ohlcv_factory.errors import DataError
from ohlcv_factory.storage.atomic import write_with
from ohlcv_factory.storage.regular_files import MOST_TABLE_BYTES, read_regular


def write_table(path: Path, frame: pl.DataFrame) -> None:
    """Put a frame at `path`. Raises StorageError (74)."""
    write_with(path, frame.write_parquet)


def read_table(path: Path, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """The frame in a Parquet file, or some of its columns. Raises InputMissingError (66), DataError (65) for a damaged one."""
    return table_in(read_regular(path, MOST_TABLE_BYTES), path, columns)


def table_in(content: bytes, path: Path, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """The frame in the bytes of a Parquet file; `path` is named in errors. Raises DataError (65) for a damaged one."""
    try:
        return pl.read_parquet(io.BytesIO(content), columns=None if columns is None else list(columns))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"{path.name} is a damaged Parquet file: {reason}.", where=str(path), help="restore it"
        ) from None
