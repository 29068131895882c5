"""The content of a file decides what it is; what is absent, closed, damaged or something else is said by name."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from ohlcv_factory.bars.files import file_bytes
from ohlcv_factory.bars.load import BarFile
from ohlcv_factory.errors import AccessError, DataError, FactoryError, InputMissingError, StorageError


def parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "BTC_5min.csv").write_text("")
    with pytest.raises(InputMissingError) as caught:
        file_bytes(tmp_path / "BTC_5mn.csv")
    assert caught.value.exit_code == 66
    assert caught.value.help == f"did you mean {tmp_path / 'BTC_5min.csv'}?"


def test_a_missing_folder_has_no_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError) as caught:
        file_bytes(tmp_path / "no" / "BTC.csv")
    assert caught.value.help == "check the path"


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match="is a directory") as caught:
        file_bytes(tmp_path)
    assert caught.value.exit_code == 66
    assert caught.value.help


@pytest.mark.parametrize(
    ("raised", "kind", "exit_code", "what"),
    [
        (PermissionError(13, "Permission denied"), AccessError, 77, "mode -rw-r-----"),
        (OSError(5, "Input/output error"), StorageError, 74, "Input/output error"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(
    raised: OSError,
    kind: type[FactoryError],
    exit_code: int,
    what: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "BTC.csv"
    path.write_text("")
    path.chmod(0o640)

    def fail(self: Path) -> bytes:
        raise raised

    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(kind, match=what) as caught:
        file_bytes(path)
    assert caught.value.exit_code == exit_code


def test_gzip_and_parquet_give_the_bars_of_the_text_file(good: str, read: Callable[..., BarFile]) -> None:
    plain = read(good).bars
    packed = read(gzip.compress(good.encode()), "BTC_5min.csv.gz").bars
    stored = read(parquet(plain.frame()), "BTC.parquet").bars
    for bars in (packed, stored):
        assert bars.symbol == "BTC"
        assert bars.time_ns.tolist() == plain.time_ns.tolist()
        assert bars.high.tolist() == [1.5, 2.0, 2.5]


OTHER_CONTENT = {
    "nothing": ("a.csv", lambda text, table: b"", "a.csv is empty (0 bytes)"),
    "html": ("a.csv", lambda text, table: b"<html><body>404</body></html>", "an HTML or XML page, not delimited text"),
    "zip": ("a.csv", lambda text, table: b"PK\x03\x04rest", "a zip archive, not delimited text"),
    "cut gzip": ("a.csv.gz", lambda text, table: gzip.compress(text)[:-9], "not complete gzip"),
    "zip in gzip": ("a.csv.gz", lambda text, table: gzip.compress(b"PK\x03\x04rest"), "a zip archive"),
    "text named parquet": ("a.parquet", lambda text, table: text, "a.parquet holds delimited text"),
    "gzip named parquet": ("a.pq", lambda text, table: gzip.compress(text), "a.pq holds gzip-compressed data"),
    "parquet named csv": ("a.csv", lambda text, table: table, "a.csv holds a Parquet file"),
    "cut parquet": ("a.parquet", lambda text, table: table[:-7], "not a complete Parquet file (footer missing)"),
    "damaged parquet": ("a.parquet", lambda text, table: b"PAR1" + bytes(40) + b"PAR1", "a damaged Parquet file"),
}


@pytest.mark.parametrize("case", OTHER_CONTENT)
def test_a_file_that_is_not_what_it_says_is_refused(
    case: str, good: str, typed: pl.DataFrame, read: Callable[..., BarFile]
) -> None:
    name, content, what = OTHER_CONTENT[case]
    with pytest.raises(DataError) as caught:
        read(content(good.encode(), parquet(typed)), name)
    assert what in caught.value.what
    assert caught.value.help


def test_a_bracketed_header_is_no_markup(good: str, read: Callable[..., BarFile]) -> None:
    header, _, rest = good.partition("\n")
    brackets = ",".join(f"<{name.upper()}>" for name in header.split(","))
    assert read(f"{brackets}\n{rest}").bars.close.tolist() == [1.25, 1.75, 2.0]
