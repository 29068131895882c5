"""A folder is what its manifest lists, file by file, or it is not read."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from ohlcv_factory.errors import DataError, InputMissingError, VerificationError
from ohlcv_factory.storage.manifests import (
    check_files,
    file_entries,
    manifest_digest,
    read_manifest,
    refuse_strange,
    role_of,
)

FILES = {
    "checkpoints/best_model.ubj": b"model",
    "config/a.yaml": b"a: 1",
    "predictions/val.parquet": b"table",
    "a.json": b"{}",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "outer" / "run"
    for name, content in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    seal(root)
    return root


def seal(root: Path, **changes: Any) -> None:
    manifest = {"format": 2, "native_suffix": ".ubj", "files": file_entries(root), **changes}
    (root / "manifest.json").write_text(json.dumps(manifest))


def test_the_list_has_path_size_digest_and_role_of_each_file(folder: Path) -> None:
    (folder / "state.json").write_text("{}")
    (folder / "addenda" / "001").mkdir(parents=True)
    (folder / "addenda" / "001" / "b.json").write_text("{}")
    (folder / ".partial-1234-tags.json").write_text("{")
    digest = hashlib.sha256(b"model").hexdigest()
    entries = file_entries(folder)
    assert entries[1] == {"path": "checkpoints/best_model.ubj", "size": 5, "sha256": digest, "role": "model"}
    assert [entry["path"] for entry in entries] == sorted(FILES)
    assert check_files(folder, read_manifest(folder), (2,)) == len(FILES)


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("checkpoints/best_model.ubj", "model"),
        ("members/a/final/checkpoints/x.json", "model"),
        ("members/a/final/config/x.yaml", "settings"),
        ("logs/training.log", "log"),
        ("checkpoints", "record"),
        ("trials.csv", "record"),
    ],
)
def test_a_files_role_is_that_of_the_innermost_known_folder(path: str, role: str) -> None:
    assert role_of(path) == role


@pytest.mark.parametrize("name", FILES)
def test_a_changed_a_longer_and_a_missing_file_are_named(name: str, folder: Path) -> None:
    content, manifest = FILES[name], read_manifest(folder)
    (folder / name).write_bytes(bytes([content[0] ^ 1]) + content[1:])
    with pytest.raises(VerificationError, match=rf"{name} is not the file that was written: sha256 \w+, \w+ wanted"):
        check_files(folder, manifest)
    (folder / name).write_bytes(content + b" ")
    with pytest.raises(VerificationError, match=f"{len(content) + 1} bytes, {len(content)} wanted"):
        check_files(folder, manifest)
    (folder / name).unlink()
    with pytest.raises(VerificationError, match=f"{name} is missing"):
        check_files(folder, manifest)


def test_one_file_more_is_refused_wherever_it_lies(folder: Path) -> None:
    (folder / "checkpoints" / "extra.json").write_text("{}")
    with pytest.raises(DataError, match=r"checkpoints/extra\.json is not in the manifest"):
        check_files(folder, read_manifest(folder))


@pytest.mark.parametrize(
    "name", ["checkpoints/a.exe", "config/a.csv", "predictions/a.csv", "metrics/a.txt", "x.pkl", "logs/x.PT"]
)
def test_a_suffix_that_no_file_of_the_role_has_is_refused(name: str, folder: Path) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"")
    seal(folder)
    with pytest.raises(DataError, match=f"{name}: a file .* is never part of"):
        check_files(folder, read_manifest(folder))


def test_a_model_of_ones_own_has_the_suffix_that_its_manifest_names_but_none_that_runs_code(folder: Path) -> None:
    (folder / "checkpoints" / "best_model.own").write_bytes(b"")
    seal(folder, native_suffix=".own")
    assert check_files(folder, read_manifest(folder)) == len(FILES) + 1
    (folder / "checkpoints" / "best_model.own").rename(folder / "checkpoints" / "best_model.pkl")
    seal(folder, native_suffix=".pkl")
    with pytest.raises(DataError, match=r"best_model\.pkl"):
        check_files(folder, read_manifest(folder))


def test_a_role_that_a_file_does_not_have_is_refused(folder: Path) -> None:
    entries = [{**entry, "role": "record"} for entry in file_entries(folder)]
    seal(folder, files=entries)
    with pytest.raises(DataError, match=r"best_model\.ubj"):
        check_files(folder, read_manifest(folder))


def test_links_and_second_names_are_refused(folder: Path, tmp_path: Path) -> None:
    manifest = read_manifest(folder)
    os.link(folder / "a.json", tmp_path / "second")
    with pytest.raises(DataError, match=r"a\.json is a hard link: 2 names"):
        check_files(folder, manifest)
    (folder / "a.json").unlink()
    (folder / "a.json").symlink_to(tmp_path / "second")
    with pytest.raises(DataError, match=r"a\.json is no regular file"):
        check_files(folder, manifest)


def test_a_folder_that_is_a_link_leads_nowhere(folder: Path, tmp_path: Path) -> None:
    manifest = read_manifest(folder)
    (folder / "config").rename(tmp_path / "config")
    (folder / "config").symlink_to(tmp_path / "config")
    with pytest.raises(DataError, match="is no regular file"):
        check_files(folder, manifest)


@pytest.mark.parametrize(
    "entry",
    [
        {"path": "../a"},
        {"path": "/a"},
        {"path": "a//b"},
        {"path": "./a"},
        {"path": "C:a"},
        {"path": "a\\b"},
        {"path": "a\0"},
        {"path": ""},
        {"path": 7},
        {"size": -1},
        {"size": True},
        {"size": 1.5},
        {"sha256": "0" * 63},
        {"sha256": None},
    ],
)
def test_a_list_with_an_entry_that_cannot_be_is_damage(entry: dict[str, Any], folder: Path) -> None:
    good = {"path": "b.json", "size": 1, "sha256": "0" * 64}
    seal(folder, files=[*file_entries(folder), {**good, **entry}])
    with pytest.raises(DataError, match=r"manifest\.json is damaged"):
        read_manifest(folder)


@pytest.mark.parametrize(
    "text", ["", "[]", "7", '{"files": 3}', '{"files": [1]}', "{}", '{"files": [' * 3, "[" * 100_000]
)
def test_what_is_no_manifest_is_damage(text: str, folder: Path) -> None:
    (folder / "manifest.json").write_text(text)
    with pytest.raises(DataError, match=r"manifest\.json is damaged"):
        read_manifest(folder)


def test_a_folder_without_a_manifest_is_not_complete(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError):
        read_manifest(tmp_path)


def test_digests_come_before_the_format_and_the_format_before_roles(folder: Path) -> None:
    (folder / "x.pkl").write_bytes(b"")
    seal(folder, format=9)
    manifest = read_manifest(folder)
    with pytest.raises(DataError, match=r"format 9, this version reads 1, 2"):
        check_files(folder, manifest, (1, 2))
    (folder / "a.json").write_bytes(b"[]")
    with pytest.raises(VerificationError, match=r"a\.json"):
        check_files(folder, manifest, (1, 2))


def test_files_that_nobody_is_going_to_read_may_be_missing(folder: Path) -> None:
    (folder / "predictions" / "val.parquet").unlink()
    assert check_files(folder, read_manifest(folder), only={"a.json"}) == 1


def test_the_digest_of_the_manifest_is_that_of_its_bytes(folder: Path) -> None:
    content = (folder / "manifest.json").read_bytes()
    assert manifest_digest(folder) == hashlib.sha256(content).hexdigest()


def test_an_unfinished_folder_holds_no_links_and_nothing_that_runs_code(folder: Path) -> None:
    refuse_strange(folder)
    (folder / "checkpoints" / "optimizer.pt").write_bytes(b"")
    with pytest.raises(DataError, match=r"optimizer\.pt"):
        refuse_strange(folder)
    (folder / "checkpoints" / "optimizer.pt").unlink()
    os.mkfifo(folder / "checkpoints" / "model.ubj")
    with pytest.raises(DataError, match=r"model\.ubj is no regular file"):
        refuse_strange(folder)


def test_a_file_of_an_unfinished_folder_has_one_name(folder: Path, tmp_path: Path) -> None:
    os.link(folder / "a.json", tmp_path / "outside")
    with pytest.raises(DataError, match=r"a\.json is a hard link: 2 names lead to it"):
        refuse_strange(folder)


def test_of_a_folder_that_may_hold_anything_some_folders_are_looked_into(folder: Path) -> None:
    (folder / "mlruns").mkdir()
    (folder / "mlruns" / "model.py").touch()
    refuse_strange(folder, within=("predictions", "not there"))
    (folder / "predictions" / "x.pkl").touch()
    with pytest.raises(DataError, match=r"x\.pkl"):
        refuse_strange(folder, within=("predictions",))
    (folder / "jobs").symlink_to(folder / "checkpoints")
    with pytest.raises(DataError, match="jobs is no regular file"):
        refuse_strange(folder, within=("jobs",))


def test_what_trackers_keep_is_neither_listed_nor_looked_at(folder: Path) -> None:
    (folder / "wandb").mkdir()
    (folder / "wandb" / "latest-run").symlink_to("run-1")
    assert check_files(folder, read_manifest(folder)) == len(FILES)
    assert [entry["path"] for entry in file_entries(folder)] == sorted(FILES)
