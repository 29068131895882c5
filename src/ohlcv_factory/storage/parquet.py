"""Tables on disk: Parquet with a checksum in every page, written in one step, read so that damage is one sentence."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from ohlcv_factory.errors import DataError
from ohlcv_factory.storage.atomic import write_bytes
from ohlcv_factory.storage.parquet_pages import DamagedPageError, refuse_damaged_pages, with_checksums
from ohlcv_factory.storage.regular_files import MOST_TABLE_BYTES, read_regular

READ_ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError, DamagedPageError)


def write_table(path: Path, frame: pl.DataFrame) -> None:
    """Put a frame at `path`; equal frames, equal bytes. Raises StorageError (74)."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    write_bytes(path, with_checksums(buffer.getvalue()))


def read_table(path: Path, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """The frame in a Parquet file, or some of its columns. Raises InputMissingError (66), DataError (65) for a damaged one."""
    return table_in(read_regular(path, MOST_TABLE_BYTES), path, columns)


def column_names(path: Path) -> list[str]:
    """The columns of a Parquet file. Raises DataError (65) for a damaged one."""
    try:
        return list(pl.read_parquet_schema(path))
    except READ_ERRORS as error:
        raise _damaged(path, error) from None


def table_in(content: bytes, path: Path, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """The frame in the bytes of a Parquet file; `path` is named in errors. Raises DataError (65) for a damaged one."""
    try:
        compare_checksums(content)
        return pl.read_parquet(io.BytesIO(content), columns=None if columns is None else list(columns))
    except READ_ERRORS as error:
        raise _damaged(path, error) from None


def compare_checksums(content: bytes) -> None:
    """Raise DamagedPageError for a page with another checksum than was written; what else is wrong, its parser finds."""
    try:
        refuse_damaged_pages(content)
    except DamagedPageError:
        raise
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return


def _damaged(path: Path, error: BaseException) -> DataError:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return DataError(f"{path.name} is a damaged Parquet file: {reason}.", where=str(path), help="restore it")
