"""What is packed is read as if it were not; an archive that is cut or holds several files is refused."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Callable

import pytest

from ohlcv_factory.bars.archives import refuse_cut_zstd
from ohlcv_factory.bars.load import BarFile
from ohlcv_factory.errors import DataError

ZSTD = base64.b64decode(
    "KLUv/SShLQMAckUSF4CpbQhRRQn3voU8D4ovYkGUUuTLiOTo5ADzQ6dBJ+bPiXZOu9POtzNB8A/w"
    "5V4CeCSqEmkVVmOTwYtNPgd0jNC1XqpwGKrQEQoAVQemEADCBRluCqmqAFFdAtnNFLLxclAkvb03"
)
"""The three bars of `conftest.GOOD`, packed by `zstd` 1.5 with its checksum."""


def zipped(**files: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["BTC_5min.csv.zst", "BTC.zst"])
def test_zstd_text_gives_the_bars_of_the_text(name: str, read: Callable[..., BarFile]) -> None:
    bars = read(ZSTD, name).bars
    assert (bars.symbol, bars.close.tolist(), bars.volume.tolist()) == ("BTC", [1.25, 1.75, 2.0], [10.0, 20.0, 30.0])


def test_a_zip_of_one_file_gives_its_bars_under_its_own_name(good: str, read: Callable[..., BarFile]) -> None:
    result = read(zipped(inside=good), "BTC_5min.zip")
    assert (result.bars.symbol, result.bars.close.tolist()) == ("BTC", [1.25, 1.75, 2.0])
    assert result.account.source == "BTC_5min.zip"


def test_a_zip_of_several_files_is_to_be_unpacked(good: str, read: Callable[..., BarFile]) -> None:
    with pytest.raises(DataError, match=r"a\.zip holds 2 files: one, two") as caught:
        read(zipped(one=good, two=good), "a.zip")
    assert caught.value.help == "unpack it and name the folder"
    with pytest.raises(DataError, match=r"a\.zip holds 0 files: nothing"):
        read(zipped(), "a.zip")


def test_a_damaged_zip_is_refused(good: str, read: Callable[..., BarFile]) -> None:
    whole = zipped(inside=good)
    with pytest.raises(DataError, match="not a complete zip archive"):
        read(whole[:-9], "a.zip")
    with pytest.raises(DataError, match="not a complete zip archive"):
        read(whole[:45] + b"\xff\xff\xff" + whole[48:], "a.zip")


def test_two_frames_and_a_skippable_one_are_complete() -> None:
    refuse_cut_zstd(ZSTD + b"\x50\x2a\x4d\x18\x02\x00\x00\x00ab" + ZSTD, "a.zst")


@pytest.mark.parametrize("cut", [1, 4, 5, 20, len(ZSTD) - 5, len(ZSTD) - 4])
def test_cut_zstd_is_refused(cut: int) -> None:
    with pytest.raises(DataError, match=r"a\.zst is not complete zstd"):
        refuse_cut_zstd(ZSTD[:-cut], "a.zst")
