"""What a manifest vouches for, compared with what lies in its folder, before any file of it is parsed.

The order: path of each file (relative, within the folder, a regular file of one name), the folder's content against the
list, sizes against the caps and the list, digests, version of the format, roles and suffixes. Only then come parsers, and
last the self-test of a model (`training/reference.py`). A digest protects against damage, not against somebody who writes
file and manifest anew: what this machine does not know is therefore parsed in a child process first (`storage/trial.py`).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ohlcv_factory.errors import DataError, InputMissingError, VerificationError
from ohlcv_factory.storage.atomic import RUN_SEAL, TEMPORARY_PREFIX, storage_errors
from ohlcv_factory.storage.digests import bytes_digest
from ohlcv_factory.storage.regular_files import CHUNK_BYTES, irregular, open_regular, read_regular

MANIFEST = RUN_SEAL
MOST_MANIFEST_BYTES = 64 << 20
OF_TRACKERS = frozenset({"tracking.jsonl", "tracking.json", "wandb", "tensorboard"})
"""What trackers write whenever they like; no command that reads a run looks into their folders."""
ADDENDA = "addenda"
"""Where later evaluations of a run lie, each with a manifest of its own."""
WRITTEN_LATER = frozenset({"state.json", "tags.json", "time.json", ADDENDA, MANIFEST}) | OF_TRACKERS
"""What a run, fold or study has beside the files of its manifest: how it went, what people call it, later evaluations,
what trackers keep, and the manifest itself."""
RUNS_CODE = frozenset(
    {".pkl", ".pickle", ".joblib", ".dill", ".pt", ".pth", ".bin", ".ckpt"}
    | {".py", ".pyc", ".pyd", ".so", ".dylib", ".dll", ".exe", ".sh"}
)
"""Suffixes that nothing in a run may have: formats that run code when they are read, and code."""
ROLES = {
    "checkpoints": "model",
    "config": "settings",
    "metrics": "metrics",
    "predictions": "predictions",
    "plots": "picture",
    "logs": "log",
}
"""What the files of a folder of this name are; of nested folders the innermost counts."""
RECORD = "record"
"""Every other file: summaries, tables, pages."""
SUFFIXES = {
    "model": frozenset({".json", ".npz", ".ubj", ".txt", ".cbm", ".cbsnapshot", ".skops", ".safetensors"}),
    "settings": frozenset({".json", ".yaml"}),
    "metrics": frozenset({".json", ".npz"}),
    "predictions": frozenset({".parquet", ".npy"}),
}
"""What files that are parsed may be; a model of the user's own may have the suffix that its manifest names."""
MOST_BYTES = {".yaml": 1 << 20, ".json": 256 << 20}
MOST_BYTES_OF_ANY = 64 << 30
_DIGEST = re.compile(r"[0-9a-f]{64}")
_DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True)
class Listed:
    """One file of a manifest."""

    path: str
    """From the folder of the manifest, with `/`."""
    size: int
    sha256: str
    given_role: str | None = None
    """What the manifest says that it is; manifests of the first format say nothing."""

    @property
    def suffix(self) -> str:
        """In lower case."""
        return PurePosixPath(self.path).suffix.lower()

    @property
    def role(self) -> str:
        """What the file is, by where it lies."""
        return role_of(self.path)


def role_of(path: str) -> str:
    """What a file is, by the innermost folder that says so."""
    return next((ROLES[part] for part in reversed(PurePosixPath(path).parts[:-1]) if part in ROLES), RECORD)


def file_entries(folder: Path) -> list[dict[str, Any]]:
    """Path, size, SHA-256 and role of every file of a folder, sorted by path; what is written later is left out.

    Raises DataError (65) for anything in it that is neither a file nor a folder.
    """
    names = sorted(name for name in _content(folder) if not _is_later(name))
    digests = ((name, *_size_and_digest(folder / name)) for name in names)
    return [{"path": name, "size": size, "sha256": digest, "role": role_of(name)} for name, size, digest in digests]


def read_manifest(folder: Path, name: str = MANIFEST) -> dict[str, Any]:
    """The manifest of a folder as it stands, a JSON object with a list of files; nothing else is looked at.

    Raises InputMissingError (66) where there is none, DataError (65) where it is damaged.
    """
    path = folder / name
    try:
        manifest = json.loads(read_regular(path, MOST_MANIFEST_BYTES))
        if not isinstance(manifest, dict):
            raise ValueError("it is no object")
        listed_files(manifest)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{name} is damaged: {error}.", where=str(path), help="restore the folder") from None
    return manifest


def manifest_digest(folder: Path, name: str = MANIFEST) -> str:
    """Hex SHA-256 of a manifest: it names the content of all files, and can be pinned (`predict --expect-digest`)."""
    return bytes_digest(read_regular(folder / name, MOST_MANIFEST_BYTES))


def listed_files(manifest: Mapping[str, Any]) -> tuple[Listed, ...]:
    """The files that a manifest lists. Raises ValueError, TypeError or KeyError where the list is none."""
    files = manifest["files"]
    if not isinstance(files, list):
        raise ValueError("'files' is no list")
    found = tuple(Listed(each["path"], each["size"], each["sha256"], each.get("role")) for each in files)
    for each in found:
        _refuse_entry(each)
    if len({each.path for each in found}) < len(found):
        raise ValueError("a file stands twice in 'files'")
    return found


def check_files(
    folder: Path,
    manifest: Mapping[str, Any],
    formats: Sequence[int] = (),
    *,
    later: Iterable[str] = WRITTEN_LATER,
    only: Iterable[str] | None = None,
) -> int:
    """Compare a folder with its manifest, in the order of the head of this file; how many files were compared.

    `formats` are the versions that the caller reads; `only` names the files that are going to be read, where the others
    may be missing. Raises DataError (65) for a path, a file or a format that may not be, VerificationError (76) for a
    file that is missing or is not what was written.
    """
    listed = listed_files(manifest)
    wanted = listed if only is None else tuple(each for each in listed if each.path in set(only))
    for each in wanted:
        _refuse_place(folder, each)
    _refuse_others(folder, {each.path for each in listed}, frozenset(later))
    for each in wanted:
        _refuse_changed(folder, each)
    if formats:
        refuse_format(folder, manifest, formats)
    for each in listed:
        _refuse_kind(folder, each, manifest)
    return len(wanted)


def refuse_strange(folder: Path, *, within: Iterable[str] = ()) -> None:
    """Raise DataError (65) for links, pipes, devices and formats that run code in a folder that has no manifest yet.

    `within` names those of its folders that are looked into, where others may hold anything.
    """
    places = [folder / name for name in within] or [folder]
    for place in places:
        if place.is_symlink():
            raise irregular(place)
        for name in sorted(_content(place)) if place.exists() else ():
            _refuse_second_name(place, name)
            _refuse_kind(place, Listed(name, 0, ""), {})


def refuse_format(folder: Path, manifest: Mapping[str, Any], known: Sequence[int]) -> None:
    """Raise DataError (65) for a version of the format that this version of the factory does not read."""
    found = manifest.get("format")
    if found not in known or isinstance(found, bool):
        raise DataError(
            f"{MANIFEST} has format {found!r}, this version reads {', '.join(map(str, known))}.",
            where=str(folder / MANIFEST),
            help="use the version of ohlcv-model-factory that wrote it, or a newer one",
        )


def _refuse_entry(each: Listed) -> None:
    """Raise ValueError for what cannot be the path, size or digest of a file in the folder."""
    path = each.path
    if not isinstance(path, str) or not path or "\0" in path or "\\" in path or _DRIVE.match(path):
        raise ValueError(f"{path!r} is no path in the folder")
    if path.startswith("/") or {"", ".", ".."} & set(path.split("/")):
        raise ValueError(f"{path!r} leads out of the folder")
    if not isinstance(each.size, int) or isinstance(each.size, bool) or each.size < 0:
        raise ValueError(f"{path!r} has the size {each.size!r}")
    if not isinstance(each.sha256, str) or not _DIGEST.fullmatch(each.sha256):
        raise ValueError(f"{path!r} has no SHA-256")


def _refuse_place(folder: Path, each: Listed) -> None:
    """Raise for a listed file that is missing (76), no regular file of a single name, or not in the folder (65)."""
    path = folder / each.path
    try:
        status = path.lstat()
    except OSError:
        raise VerificationError(
            f"{each.path} is missing.", where=str(path), help="restore it; ohlcv-factory verify checks all files"
        ) from None
    inside = path.parent.resolve().is_relative_to(folder.resolve())
    if not stat.S_ISREG(status.st_mode) or not inside:
        raise irregular(path)
    _refuse_second_name(folder, each.path)


def _refuse_second_name(folder: Path, name: str) -> None:
    """Raise DataError (65) for a hard link."""
    names = (folder / name).lstat().st_nlink
    if names > 1:
        raise DataError(
            f"{name} is a hard link: {names} names lead to it.",
            where=str(folder / name),
            help="copy the folder (cp -r), so that nothing else can change its files",
        )


def _refuse_others(folder: Path, listed: set[str], later: frozenset[str]) -> None:
    """Raise DataError (65) for what the manifest does not list."""
    for name in sorted(_content(folder)):
        if name not in listed and not _is_later(name, later):
            raise DataError(
                f"{name} is not in the manifest.",
                where=str(folder / name),
                help="remove it: nothing may be added to what was written",
            )


def _content(folder: Path) -> Iterator[str]:
    """The files below a folder, with `/`; those that a killed writer left are passed over.

    Raises DataError (65) for links, pipes and devices.
    """
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        with storage_errors(here), os.scandir(here) as entries:
            for entry in entries:
                if entry.name.startswith(TEMPORARY_PREFIX) or (here == folder and entry.name in OF_TRACKERS):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                elif entry.is_file(follow_symlinks=False):
                    yield Path(entry.path).relative_to(folder).as_posix()
                else:
                    raise irregular(Path(entry.path))


def _is_later(name: str, later: frozenset[str] = WRITTEN_LATER) -> bool:
    return name.partition("/")[0] in later


def _refuse_changed(folder: Path, each: Listed) -> None:
    """Raise for a file that is too large (65), or has another size or digest than was written (76)."""
    path, most = folder / each.path, MOST_BYTES.get(each.suffix, MOST_BYTES_OF_ANY)
    size = path.lstat().st_size
    if size > most:
        raise DataError(
            f"{each.path} is larger than {most} bytes.", where=str(path), help="no such file is written here"
        )
    seen = "" if size != each.size else _size_and_digest(path)[1]
    if seen != each.sha256:
        found = f"sha256 {seen[:12]}, {each.sha256[:12]} wanted" if seen else f"{size} bytes, {each.size} wanted"
        raise VerificationError(
            f"{each.path} is not the file that was written: {found}.",
            where=str(path),
            help="restore it; ohlcv-factory verify checks all files",
        )


def _refuse_kind(folder: Path, each: Listed, manifest: Mapping[str, Any]) -> None:
    """Raise DataError (65) for a suffix that a file of its role never has."""
    allowed = _suffixes(each, manifest)
    runs_code = each.suffix in RUNS_CODE
    if runs_code or (allowed is not None and each.suffix not in allowed) or each.given_role not in (None, each.role):
        raise DataError(
            f"{each.path}: a file {each.suffix or 'without a suffix'} is never part of {_word(each.role)}.",
            where=str(folder / each.path),
            help="reading it could run code" if runs_code else "this folder was not written by this project",
        )


def _suffixes(each: Listed, manifest: Mapping[str, Any]) -> frozenset[str] | None:
    """What a file of this role may be; None for what is not parsed, and for models of which another manifest knows more."""
    if each.role != "model":
        return SUFFIXES.get(each.role)
    own = each.path.startswith("checkpoints/") and "native_suffix" in manifest
    return SUFFIXES["model"] | {str(manifest["native_suffix"])} if own else None


def _word(role: str) -> str:
    return {"model": "a model", "settings": "the settings"}.get(role, "a run" if role == RECORD else f"the {role}")


def _size_and_digest(path: Path) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    try:
        with open_regular(path) as stream, storage_errors(path):
            while chunk := stream.read(CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
    except InputMissingError:
        raise VerificationError(f"{path.name} is missing.", where=str(path), help="restore it") from None
    return size, digest.hexdigest()
