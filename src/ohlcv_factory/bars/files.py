"""Bytes of a file in, a table out; the content decides which format it is."""

from __future__ import annotations

import io
import stat
from pathlib import Path, PurePath

import numpy as np
import polars as pl

from ohlcv_factory.bars.archives import gzip_content, refuse_cut_zstd, zip_content, zstd_text
from ohlcv_factory.bars.columns import may_be_wanted
from ohlcv_factory.bars.dbn import dbn_table
from ohlcv_factory.bars.delimited import text_table
from ohlcv_factory.bars.detection import chosen_fit, not_like, record_fits
from ohlcv_factory.bars.dialects import dialect_named
from ohlcv_factory.bars.lean import is_lean, lean_table
from ohlcv_factory.bars.options import ReadOptions, named_dialect
from ohlcv_factory.bars.records import json_table
from ohlcv_factory.bars.table import Table, refuse_repeated_names
from ohlcv_factory.errors import AccessError, DataError, FactoryError, InputMissingError, StorageError, nearest
from ohlcv_factory.storage.parquet import compare_checksums
from ohlcv_factory.storage.parquet_pages import DamagedPageError

OTHER_FORMATS = {
    b"BZh": "bzip2-compressed",
    b"\xfd7zXZ": "xz-compressed",
    b"SQLite format 3": "an SQLite database",
    b"%PDF": "a PDF document",
}
GZIP, ZSTD, FEATHER, DBN = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"ARROW1", b"DBN"
ZIPS = (b"PK\x03\x04", b"PK\x05\x06")
"""With files, and without any."""


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
        help = "name one of its files, or read the folder with read_sources"
        return InputMissingError(f"{path} is a directory, not a file.", where=str(path), help=help)
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


def file_table(path: Path, source: str, content: bytes, digest: str, options: ReadOptions) -> Table:
    """The table in a file; `source` names it in messages, `digest` is the SHA-256 of its bytes.

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
        return typed_table(_parquet_frame(content, source), source, digest, options)
    if content.startswith(FEATHER):
        return typed_table(_feather_frame(content, source), source, digest, options)
    return _unpacked_table(path.name, source, content, digest, options)


def _unpacked_table(name: str, source: str, content: bytes, digest: str, options: ReadOptions) -> Table:
    """The table of a file that may be packed; `name` is that of the content, inside its archive where it is in one."""
    if content.startswith(GZIP):
        content = gzip_content(content, source)
    elif content.startswith(ZIPS) and PurePath(name).suffix.lower() != ".csv":
        name, content = zip_content(content, source)
    elif content.startswith(ZSTD):
        refuse_cut_zstd(content, source)
        content = zstd_text(content) or content
    if content.startswith((DBN, ZSTD)):
        return dbn_table(content, source, digest, options)
    if content.lstrip()[:1] in (b"[", b"{"):
        return json_table(content, source, digest, options)
    found = _format_name(content)
    if found != "delimited text" and not _is_bracketed_header(content):
        raise DataError(f"{source} is {found}, not delimited text.", where=source, help="give CSV, JSON or Parquet")
    if is_lean(name, options):
        return lean_table(content, name, source, digest, options)
    return text_table(content, source, digest, options)


def _format_name(content: bytes) -> str:
    packed = {
        GZIP: "gzip-compressed data",
        **dict.fromkeys(ZIPS, "a zip archive"),
        ZSTD: "zstd-compressed data",
        DBN: "a Databento DBN file",
    }
    for magic, name in {**packed, FEATHER: "an Arrow / Feather file", **OTHER_FORMATS}.items():
        if content.startswith(magic):
            return name
    return "an HTML or XML page" if content.lstrip()[:1] == b"<" and b">" in content[:4096] else "delimited text"


def _is_bracketed_header(content: bytes) -> bool:
    """`<DATE>,<OPEN>,…` of MetaTrader and MetaStock exports is a header, no markup."""
    return b"<close>" in content[:4096].lower()


def typed_table(frame: pl.DataFrame, source: str, digest: str | None, options: ReadOptions) -> Table:
    """A frame of typed columns with the dialect that its names belong to; rows are counted from 1.

    Raises UsageError (2) when it is not in the dialect that the caller named.
    """
    fits = [fit for fit in record_fits(frame.columns, options) if fit.has_header]
    if (wanted := named_dialect(options)) and not fits:
        raise not_like(dialect_named(wanted), ", ".join(frame.columns), source)
    dialect = chosen_fit(fits, frame, source).dialect if fits else None
    declared = {**(dialect.declared_columns(frame.columns) if dialect else {}), **options.columns}
    refuse_repeated_names(frame.columns, source, may_be_wanted(declared))
    return Table(frame, np.arange(1, len(frame) + 1), source, digest, is_text=False, dialect=dialect)


def _parquet_frame(content: bytes, source: str) -> pl.DataFrame:
    footer_bytes = int.from_bytes(content[-8:-4], "little")
    if not content.endswith(b"PAR1") or footer_bytes + 12 > len(content):
        raise DataError(
            f"{source} is not a complete Parquet file (footer missing).", where=source, help="copy it again"
        )
    try:
        compare_checksums(content)
        return pl.read_parquet(io.BytesIO(content))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, DamagedPageError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{source} is a damaged Parquet file: {reason}.", where=source, help="copy it again") from None


def _feather_frame(content: bytes, source: str) -> pl.DataFrame:
    try:
        return pl.read_ipc(io.BytesIO(content))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{source} is a damaged Feather file: {reason}.", where=source, help="copy it again") from None
