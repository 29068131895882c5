"""What this account wrote or tried is known to it, and nobody else can say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from ohlcv_factory.storage.cache import KNOWN, cache_folder, is_known, remember
from ohlcv_factory.storage.manifests import manifest_digest


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACTORY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "manifest.json").write_text('{"files": []}')
    return tmp_path / "run"


def test_a_manifest_is_known_once_it_is_remembered_and_written_anew_no_more(folder: Path, cache: Path) -> None:
    assert not is_known(manifest_digest(folder))
    remember(folder)
    remember(folder)
    assert is_known(manifest_digest(folder))
    assert (cache / KNOWN).read_text() == f"{manifest_digest(folder)}\n"
    (folder / "manifest.json").write_text('{"files": [] }')
    assert not is_known(manifest_digest(folder))


def test_a_list_that_others_can_write_is_not_believed(folder: Path, cache: Path) -> None:
    remember(folder)
    (cache / KNOWN).chmod(0o666)
    assert not is_known(manifest_digest(folder))
    (cache / KNOWN).unlink()
    (cache / "elsewhere").write_text(f"{manifest_digest(folder)}\n")
    (cache / KNOWN).symlink_to(cache / "elsewhere")
    assert not is_known(manifest_digest(folder))


def test_without_a_place_for_the_list_nothing_is_known_and_nothing_fails(folder: Path, cache: Path) -> None:
    cache.write_text("a file")
    remember(folder)
    assert not is_known(manifest_digest(folder))


def test_the_cache_lies_where_the_machine_keeps_caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FACTORY_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "ohlcv-factory"
