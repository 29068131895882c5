from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from ohlcv_factory.errors import FactoryWarning
from ohlcv_factory.models._foundation import code_cache
from ohlcv_factory.models._foundation.code_cache import CodeCache, cache_folder, window_digests

FACTS = {"checkpoint": "abc", "lookback": 4}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("FACTORY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def windows(count: int) -> np.ndarray:
    return np.arange(count * 4, dtype=np.float32).reshape(count, 4, 1)


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.npz"))


def test_a_digest_follows_from_the_bars_alone():
    given = windows(3)
    given[1, 0] = np.nan
    digests = window_digests(given)
    assert len(set(digests)) == 3 and all(len(each) == 16 for each in digests)
    assert window_digests(given[1:2]) == digests[1:2]
    assert window_digests(np.asfortranarray(given)) == digests
    assert window_digests(given.astype(np.float64)) == digests


def test_codes_are_found_by_another_process_once_they_are_flushed(folder):
    digests, codes = window_digests(windows(3)), np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    first = CodeCache(FACTS)
    assert first.find(digests) == [None, None, None]
    first.add(digests, codes)
    assert np.array_equal(np.stack(first.find(digests)), codes)
    assert files(folder) == []
    first.flush()
    first.flush()
    assert len(files(folder)) == 1
    second = CodeCache(FACTS)
    found = second.find([digests[2], window_digests(windows(9))[8]])
    assert found[0].tobytes() == codes[2].tobytes() and found[1] is None
    assert CodeCache({**FACTS, "lookback": 5}).find(digests) == [None, None, None]


def test_many_new_codes_reach_the_disk_by_themselves(folder, monkeypatch):
    monkeypatch.setattr(code_cache, "ROWS_PER_FILE", 4)
    cache = CodeCache(FACTS)
    cache.add(window_digests(windows(3)), np.zeros((3, 2), np.float32))
    assert files(folder) == []
    cache.add(window_digests(windows(9))[3:6], np.zeros((3, 2), np.float32))
    assert len(files(folder)) == 1


def test_a_damaged_file_is_computed_again(folder):
    digests = window_digests(windows(2))
    cache = CodeCache(FACTS)
    cache.add(digests, np.ones((2, 2), np.float32))
    cache.flush()
    (path,) = files(folder)
    path.write_bytes(path.read_bytes()[:-30])
    again = CodeCache(FACTS)
    assert again.find(digests) == [None, None]
    again.add(digests, np.ones((2, 2), np.float32))
    again.flush()
    assert np.array_equal(np.stack(CodeCache(FACTS).find(digests)), np.ones((2, 2)))


def test_a_folder_that_cannot_be_written_is_done_without(folder):
    folder.write_text("a file in its place")
    cache = CodeCache(FACTS)
    cache.add(window_digests(windows(1)), np.ones((1, 2), np.float32))
    with pytest.warns(FactoryWarning, match="codes are not kept: .* Another FACTORY_CACHE may help"):
        cache.flush()
    cache.flush()


def test_the_folder_is_where_the_machine_keeps_caches(monkeypatch):
    monkeypatch.delenv("FACTORY_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/caches")
    assert cache_folder() == Path("/var/caches/ohlcv-factory")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path(os.path.expanduser("~/.cache/ohlcv-factory"))
