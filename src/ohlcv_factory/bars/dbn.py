"""Databento's binary files, through their own library into the text that the dialect `databento` reads."""

from __future__ import annotations

import io
from dataclasses import replace
from types import ModuleType

from ohlcv_factory.bars.delimited import text_table
from ohlcv_factory.bars.options import ReadOptions, refuse_options
from ohlcv_factory.bars.table import Table
from ohlcv_factory.errors import DataError
from ohlcv_factory.runtime.packages import import_extra


def dbn_table(content: bytes, source: str, digest: str, options: ReadOptions) -> Table:
    """The bars of a DBN file, plain or zstd-compressed; rows are its records, counted from 1.

    Raises MissingExtraError (69) without the extra `databento`, DataError (65) for a damaged file or other records.
    """
    databento = import_extra("databento_dbn", "databento")
    refuse_options(options, ("delimiter", "decimal", "thousands", "encoding"), f"{source} is no text file")
    try:
        text = _csv(databento, _plain(databento, content), source)
    except (databento.DBNError, ValueError, RuntimeError, OSError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{source} is a damaged DBN file: {error}.", where=source, help="download it again") from None
    if b"open,high,low,close" not in text[:4096]:
        raise DataError(f"{source} holds no OHLCV bars.", where=source, help="ask for the schema ohlcv-1m")
    table = text_table(text, source, digest, options)
    return replace(table, rows=table.rows - 1, is_text=False)


def _plain(databento: ModuleType, content: bytes) -> bytes:
    """Metadata and records without compression."""
    if content.startswith(b"DBN"):
        return content
    decoder = databento.DBNDecoder(compression=databento.Compression.ZSTD)
    decoder.write(content)
    return b"".join(map(bytes, decoder.decode()))


def _csv(databento: ModuleType, content: bytes, source: str) -> bytes:
    """The records as CSV, prices as whole numbers and instruments by their symbols."""
    text = io.BytesIO()
    transcoder = databento.Transcoder(
        text, databento.Encoding.CSV, databento.Compression.NONE, pretty_px=False, pretty_ts=False, map_symbols=True
    )
    transcoder.write(content)
    transcoder.flush()
    if transcoder.buffer():
        raise DataError(f"{source} is not a complete DBN file.", where=source, help="download it again")
    return text.getvalue()
