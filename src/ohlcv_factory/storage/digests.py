"""SHA-256 of files, arrays and plain values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import ohlcv_factory

CHUNK_BYTES = 1 << 20
CODE_SUFFIXES = (".py", ".yaml")


def file_digest(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def bytes_digest(content: bytes) -> str:
    """Hex SHA-256 of bytes, that of the file that holds them."""
    return hashlib.sha256(content).hexdigest()


def array_digest(*arrays: np.ndarray) -> str:
    """Hex SHA-256 of arrays: dtype, shape and bytes of each, in order."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def value_digest(value: Mapping[str, Any]) -> str:
    """Hex SHA-256 of plain values in canonical JSON (sorted keys, no spaces)."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def folder_digests(folder: Path, *, leave_out: frozenset[str] = frozenset()) -> list[dict[str, Any]]:
    """Path, size and SHA-256 of every file below `folder`, sorted by path; `leave_out` holds relative paths."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    relative = [(path, path.relative_to(folder).as_posix()) for path in files]
    return [
        {"path": name, "size": path.stat().st_size, "sha256": file_digest(path)}
        for path, name in relative
        if name not in leave_out
    ]


@cache
def code_digest() -> str:
    """Hex SHA-256 of this package's source: what tells a run of one version from a run of a changed checkout."""
    root = Path(ohlcv_factory.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(path for path in root.rglob("*") if path.suffix in CODE_SUFFIXES):
        digest.update(f"{path.relative_to(root).as_posix()}\n{file_digest(path)}\n".encode())
    return digest.hexdigest()
