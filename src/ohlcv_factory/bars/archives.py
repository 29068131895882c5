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
ZSTD_FRAME, SKIPPABLE_FRAME, RUN_LENGTH_BLOCK = 0xFD2FB528, 0x184D2A5, 1


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


def refuse_cut_zstd(content: bytes, source: str) -> None:
    """Raise DataError (65) for a zstd file whose last block is not there: decoders may give what came before it.

    Walks the frames as RFC 8878 lays them out, without unpacking them.
    """
    place = 0
    while 0 <= place < len(content):
        place = _frame_end(content, place)
    if place != len(content):
        raise DataError(f"{source} is not complete zstd.", where=source, help="copy it again")


def _frame_end(content: bytes, place: int) -> int:
    """Where the frame that begins at `place` ends; -1 when it does not."""
    magic = int.from_bytes(content[place : place + 4], "little")
    if magic >> 4 == SKIPPABLE_FRAME:
        return place + 8 + int.from_bytes(content[place + 4 : place + 8], "little")
    if magic != ZSTD_FRAME or place + 5 > len(content):
        return -1
    descriptor = content[place + 4]
    is_single = bool(descriptor & 32)
    size_bytes = (1 if is_single else 0, 2, 4, 8)[descriptor >> 6]
    place += 5 + (0 if is_single else 1) + (0, 1, 2, 4)[descriptor & 3] + size_bytes
    is_last = False
    while not is_last:
        if place + 3 > len(content):
            return -1
        block = int.from_bytes(content[place : place + 3], "little")
        is_last, kind = bool(block & 1), block >> 1 & 3
        place += 3 + (1 if kind == RUN_LENGTH_BLOCK else block >> 3)
    return place + (4 if descriptor & 4 else 0)
