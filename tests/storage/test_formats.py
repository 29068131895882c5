"""Formats that run nothing: what is written is read back, what is damaged is refused."""

from __future__ import annotations

import io
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ohlcv_factory.config import read_yaml
from ohlcv_factory.errors import AccessError, DataError, InputMissingError
from ohlcv_factory.storage.formats import (
    jsonable,
    read_arrays,
    read_json,
    write_array,
    write_arrays,
    write_json,
    write_settings,
)


def test_json_is_indented_ends_with_a_line_and_keeps_letters(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": [1, 2.5], "a": "ä"})
    expected = '{\n  "b": [\n    1,\n    2.5\n  ],\n  "a": "ä"\n}\n'
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == expected
    assert read_json(tmp_path / "a.json") == {"b": [1, 2.5], "a": "ä"}


def test_a_float_keeps_every_bit(tmp_path: Path) -> None:
    values = [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, -0.0]
    write_json(tmp_path / "a.json", values)
    assert [value.hex() for value in read_json(tmp_path / "a.json")] == [value.hex() for value in values]


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.array([[1.0, math.nan]]), [[1.0, None]]),
        (math.inf, None),
        (np.float64(-math.inf), None),
        ((1, (2,)), [1, [2]]),
        ({20: {"k": Path("a/b")}}, {"20": {"k": "a/b"}}),
        ({"b", "a", "c"}, ["a", "b", "c"]),
        (None, None),
        (True, True),
        (1 + 2j, "(1+2j)"),
    ],
)
def test_values_become_plain(value: Any, plain: Any) -> None:
    found = jsonable(value)
    assert found == plain
    assert type(found) is type(plain)


def test_a_set_is_written_alike_in_every_process() -> None:
    program = "from ohlcv_factory.storage.formats import jsonable; print(jsonable(set('stuvwxyz')))"
    lines = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in "12"
    }
    assert lines == {"['s', 't', 'u', 'v', 'w', 'x', 'y', 'z']\n"}


@pytest.mark.parametrize("content", [b"", b"{", b"{'a': 1}", b"\xff\xfe{}", b"[" * 200_000])
def test_damaged_json_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.json is not valid JSON") as caught:
        read_json(tmp_path / "a.json")
    assert caught.value.exit_code == 65


def test_a_closed_json_file_is_an_access_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_json(tmp_path / "a.json", {})

    def closed(*_: Any) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", closed)
    with pytest.raises(AccessError):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize("read", [read_json, read_arrays])
def test_what_does_not_exist_is_missing_input(read: Any, tmp_path: Path) -> None:
    with pytest.raises(InputMissingError) as caught:
        read(tmp_path / "a")
    assert caught.value.exit_code == 66


def test_arrays_are_read_back_with_their_names_dtypes_and_shapes(tmp_path: Path) -> None:
    arrays = {"mean": np.array([[1.5, math.nan]], dtype="<f4"), "count": np.array(7)}
    write_arrays(tmp_path / "a.npz", arrays)
    found = read_arrays(tmp_path / "a.npz")
    assert list(found) == ["mean", "count"]
    assert found["mean"].dtype == np.float32
    np.testing.assert_array_equal(found["mean"], arrays["mean"])
    assert found["count"].shape == ()


def test_one_array_is_a_plain_npy_file(tmp_path: Path) -> None:
    write_array(tmp_path / "a.npy", np.array([1, 2], dtype="<i4"))
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy", allow_pickle=False), [1, 2])


def test_objects_are_never_written(tmp_path: Path) -> None:
    for write, value in ((write_array, np.array([{}])), (write_arrays, {"a": np.array([{}])})):
        with pytest.raises(ValueError, match="allow_pickle"):
            write(tmp_path / "a", value)  # type: ignore[operator]
    assert list(tmp_path.iterdir()) == []


def archive(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


GOOD = archive(a=np.arange(4.0))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04",
        GOOD[: len(GOOD) // 2],
        GOOD[:-10],
        GOOD.replace(b"NUMPY", b"NUMPI"),
        archive(a=np.array([{"runs": "code"}], dtype=object)),
        b"\x93NUMPY\x01\x00",
        b"text",
    ],
)
def test_damaged_or_pickled_arrays_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.npz cannot be read") as caught:
        read_arrays(tmp_path / "a.npz")
    assert caught.value.exit_code == 65


def test_a_lone_array_is_no_archive(tmp_path: Path) -> None:
    write_array(tmp_path / "a.npz", np.arange(3))
    with pytest.raises(DataError, match="cannot be read"):
        read_arrays(tmp_path / "a.npz")


def test_settings_are_read_back_unchanged(tmp_path: Path) -> None:
    values = {"model_name": "xgboost", "model": {"eta": 1e-3, "note": "1e-3"}, "horizons": [5, 20]}
    write_settings(tmp_path / "a.yaml", values)
    assert read_yaml(tmp_path / "a.yaml").values == values
