"""Digests are plain SHA-256, and differ when dtype, shape, order or bytes differ."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

import ohlcv_factory
from ohlcv_factory.storage import digests
from ohlcv_factory.storage.digests import array_digest, code_digest, file_digest, folder_digests, value_digest

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
"""SHA-256 of `abc`, as FIPS 180-2 prints it."""


def test_a_files_digest_is_that_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert file_digest(tmp_path / "a") == ABC


def test_a_file_longer_than_a_chunk_is_read_whole(tmp_path: Path) -> None:
    content = bytes(digests.CHUNK_BYTES) + b"abc"
    (tmp_path / "a").write_bytes(content)
    assert file_digest(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def test_an_arrays_digest_is_that_of_dtype_shape_and_bytes() -> None:
    values = np.array([[1, 2]], dtype="<i2")
    assert array_digest(values) == hashlib.sha256(b"<i2(1, 2)\x01\x00\x02\x00").hexdigest()


def test_arrays_that_differ_in_anything_have_different_digests() -> None:
    zeros = np.zeros(4, dtype="<f4")
    others = [
        (zeros.astype("<f8"),),
        (zeros.astype("<i4"),),
        (zeros.reshape(2, 2),),
        (zeros[:2], zeros[2:]),
        (-zeros,),
        (),
    ]
    assert len({array_digest(*arrays) for arrays in [(zeros,), *others]}) == 7


def test_a_view_has_the_digest_of_its_copy() -> None:
    values = np.arange(12.0).reshape(3, 4)
    assert array_digest(values[:, ::2]) == array_digest(values[:, ::2].copy())
    assert array_digest(values.T) == array_digest(np.ascontiguousarray(values.T))


def test_values_have_one_digest_in_any_order_of_keys() -> None:
    expected = hashlib.sha256(b'{"a":[1,2.5],"b":{"c":null}}').hexdigest()
    assert value_digest({"b": {"c": None}, "a": [1, 2.5]}) == expected
    assert value_digest({"a": [2.5, 1], "b": {"c": None}}) != expected


def test_a_folder_lists_its_files_by_relative_path(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "empty").mkdir()
    for name in ("manifest.json", "config/b.yaml", "config/a.yaml"):
        (tmp_path / name).write_bytes(b"abc")
    found = folder_digests(tmp_path, leave_out=frozenset({"manifest.json"}))
    assert found == [
        {"path": "config/a.yaml", "size": 3, "sha256": ABC},
        {"path": "config/b.yaml", "size": 3, "sha256": ABC},
    ]


def test_the_code_is_named_by_its_text(tmp_path, monkeypatch) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "one.py").write_text("a = 1\n")
    monkeypatch.setattr(ohlcv_factory, "__file__", str(tmp_path / "package" / "__init__.py"))
    before = code_digest.__wrapped__()
    (tmp_path / "package" / "note.txt").write_text("no code")
    assert code_digest.__wrapped__() == before
    (tmp_path / "package" / "one.py").write_text("a = 2\n")
    assert code_digest.__wrapped__() != before
