"""Bytes of a file in, a table out; the content decides which format it is."""

from __future__ import annotations

import gzip
import io
import stat
import zlib
from pathlib import Path

import numpy as np
import polars as pl

from ohlcv_factory.bars.delimited import text_table
from ohlcv_factory.bars.options import ReadOptions
from ohlcv_factory.bars.table import SHOWN, Table, refuse_repeated_names
from ohlcv_factory.errors import AccessError, DataError, FactoryError, InputMissingError, StorageError, nearest

OTHER_FORMATS = {
    b"PK\x03\x04": "a zip archive",
    b"\x28\xb5\x2f\xfd": "zstd-compressed",
    b"BZh": "bzip2-compressed",
    b"\xfd7zXZ": "xz-compressed",
    b"ARROW1": "an Arrow / Feather file",
    b"SQLite format 3": "an SQLite database",
    b"%PDF": "a PDF document",
    b"DBN": "a Databento DBN file",
}


def file_bytes(path: Path) -> bytes:
    """The bytes of a file. Raises InputMissingError (66), AccessError (77) or StorageError (74)."""
    try:
        if not path.is_file():
            raise _missing(path)
        return path.read_bytes()
    except PermissionError:
        raise AccessError(
            f"{path} cannot be read: {_owner(path)}.", where=str(path), help="ask its owner for access"
        ) from None
    except OSError as error:
        if isinstance(error, FactoryError):
            raise
        raise StorageError(f"{path}: {error.strerror}.", where=str(path), help="check the disk") from None


def _missing(path: Path) -> InputMissingError:
    if path.is_dir():
        inside = sorted(entry.name for entry in path.iterdir() if entry.is_file())[:SHOWN]
        found = f"name one of its files: {', '.join(inside)}" if inside else "it holds no files"
        return InputMissingError(f"{path} is a directory, not a file.", where=str(path), help=found)
    folder = path.parent
    close = nearest(path.name, (entry.name for entry in folder.iterdir())) if folder.is_dir() else None
    help = f"did you mean {folder / close}?" if close else "check the path"
    return InputMissingError(f"{path} does not exist.", where=str(path), help=help)


def _owner(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return "its folder is closed"
    return f"owner {status.st_uid}, mode {stat.filemode(status.st_mode)}"


def file_table(path: Path, content: bytes, digest: str, options: ReadOptions) -> Table:
    """The table in a Parquet or text file; `digest` is the SHA-256 of its bytes.

    Raises DataError (65) for other formats, by their name, and for a suffix that contradicts the content.
    """
    if not content:
        raise DataError(f"{path.name} is empty (0 bytes).", where=str(path), help="export it again")
    is_parquet = content.startswith(b"PAR1")
    named_parquet = path.suffix.lower() in (".parquet", ".pq")
    if named_parquet != is_parquet and (named_parquet or path.suffix.lower() in (".csv", ".txt")):
        found = "a Parquet file" if is_parquet else _format_name(content)
        raise DataError(f"{path.name} holds {found}.", where=str(path), help="give it the suffix of what it holds")
    if is_parquet:
        return _parquet_table(content, path.name, digest)
    return text_table(_unpacked(content, path.name), path.name, digest, options)


def _format_name(content: bytes) -> str:
    for magic, name in {b"\x1f\x8b": "gzip-compressed data", **OTHER_FORMATS}.items():
        if content.startswith(magic):
            return name
    return "an HTML or XML page" if content.lstrip()[:1] == b"<" and b">" in content[:4096] else "delimited text"


def _unpacked(content: bytes, source: str) -> bytes:
    """The bytes of a text file, out of its gzip where it is in one; other formats are refused by name."""
    if content.startswith(b"\x1f\x8b"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{source} is not complete gzip: {error}.", where=source, help="copy it again") from None
    name = _format_name(content)
    if name != "delimited text" and not _is_bracketed_header(content):
        raise DataError(f"{source} is {name}, not delimited text.", where=source, help="give CSV (also .gz) or Parquet")
    return content


def _is_bracketed_header(content: bytes) -> bool:
    """`<DATE>,<OPEN>,…` of MetaTrader and MetaStock exports is a header, no markup."""
    return b"<close>" in content[:4096].lower()


def _parquet_table(content: bytes, source: str, digest: str) -> Table:
    footer_bytes = int.from_bytes(content[-8:-4], "little")
    if not content.endswith(b"PAR1") or footer_bytes + 12 > len(content):
        raise DataError(
            f"{source} is not a complete Parquet file (footer missing).", where=source, help="copy it again"
        )
    try:
        frame = pl.read_parquet(io.BytesIO(content))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{source} is a damaged Parquet file: {reason}.", where=source, help="copy it again") from None
    refuse_repeated_names(frame.columns, where=source)
    return Table(frame, np.arange(1, len(frame) + 1), source, digest, is_text=False)
