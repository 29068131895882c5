"""A child process stands in for whatever a parser may do to its process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ohlcv_factory.errors import DataError
from ohlcv_factory.storage.cache import is_known
from ohlcv_factory.storage.manifests import file_entries, manifest_digest
from ohlcv_factory.storage.trial import Trial, try_folder, try_foreign


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACTORY_CACHE", str(tmp_path / "cache"))
    run = tmp_path / "run"
    (run / "config").mkdir(parents=True)
    (run / "config" / "a.json").write_text("{}")
    (run / "manifest.json").write_text(json.dumps({"files": file_entries(run)}))
    return run


@pytest.mark.parametrize(
    ("deed", "words"),
    [
        ("crash", r"model\.ubj: reading it ends its process \(SIGSEGV\)"),
        ("exit", r"model\.ubj: reading it ends its process \(exit code 3\)"),
        ("loop", r"model\.ubj: reading it takes longer than such a file may"),
        ("memory", r"model\.ubj cannot be read: MemoryError"),
        ("error", r"model\.ubj cannot be read: ValueError: invalid literal"),
    ],
)
def test_whatever_reading_does_is_one_sentence_with_the_file(deed: str, words: str, folder: Path) -> None:
    with pytest.raises(DataError, match=words) as caught:
        try_folder(folder, Trial(loader="harmful_parsers:deed", plugins=(deed,)))
    assert caught.value.exit_code == 65
    assert not is_known(manifest_digest(folder))


def test_what_went_well_is_known_and_not_tried_again(folder: Path) -> None:
    try_foreign(folder, Trial(loader="harmful_parsers:deed", plugins=("nothing",)))
    assert is_known(manifest_digest(folder))
    try_foreign(folder, Trial(loader="harmful_parsers:deed", plugins=("crash",)))


def test_a_table_that_cannot_be_parsed_is_named(folder: Path) -> None:
    (folder / "config" / "a.json").write_text("{")
    with pytest.raises(DataError, match=r"a\.json is not valid JSON"):
        try_folder(folder, Trial())


def test_only_the_files_that_are_going_to_be_read_are_tried(folder: Path) -> None:
    (folder / "config" / "a.json").write_text("{")
    try_folder(folder, Trial(only=frozenset({"config/b.json"})))
    assert not is_known(manifest_digest(folder))
