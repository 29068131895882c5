"""The one file in a zip, gzip or zstd archive."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib

import polars as pl

from ohlcv_factory.bars.table import SHOWN
from ohlcv_factory.errors import DataError

LARGEST_BYTES = 8 << 30
"""What an archive may unfold to."""


def gzip_content(content: bytes, source: str) -> bytes:
    """What a gzip file holds. Raises DataError (65) when it is not complete."""
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{source} is not complete gzip: {error}.", where=source, help="copy it again") from None


def zip_content(content: bytes, source: str) -> tuple[str, bytes]:
    """Name and content of the only file in a zip. Raises DataError (65) for several, none, or a damaged archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files = [entry for entry in archive.infolist() if not entry.is_dir()]
            if len(files) != 1:
                named = ", ".join(entry.filename for entry in files[:SHOWN]) or "nothing"
                raise DataError(
                    f"{source} holds {len(files)} files: {named}.", where=source, help="unpack it and name the folder"
                )
            if files[0].file_size > LARGEST_BYTES:
                raise DataError(
                    f"{source} unfolds to {files[0].file_size} bytes.", where=source, help="unpack it first"
                )
            return files[0].filename, archive.read(files[0])
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{source} is not a complete zip archive: {error}.", where=source, help="copy it again"
        ) from None


def zstd_text(content: bytes) -> bytes | None:
    """The text in a zstd file, or None where it holds no text; polars unpacks it, as Python 3.11 cannot."""
    try:
        lines = pl.read_csv(
            io.BytesIO(content), has_header=False, separator="\x1f", quote_char=None, schema={"line": pl.String()}
        )
    except pl.exceptions.PolarsError:
        return None
    return "\n".join(lines["line"].fill_null("")).encode()
