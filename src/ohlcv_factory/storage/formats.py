"""Formats that run nothing when they are read: JSON, NumPy arrays without pickle, Parquet, YAML."""

from __future__ import annotations

import io
import json
import math
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ohlcv_factory.config import write_yaml
from ohlcv_factory.errors import DataError, InputMissingError
from ohlcv_factory.storage import atomic


def write_json(path: Path, value: Any) -> None:
    """Indented JSON; numbers that JSON cannot hold (NaN, infinities) become null."""
    atomic.write_text(path, json.dumps(jsonable(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON. Raises InputMissingError (66), AccessError (77), StorageError (74) or DataError (65)."""
    if not path.is_file():
        raise InputMissingError(f"{path} does not exist.", where=str(path), help="is this the right folder?")
    try:
        with atomic.storage_errors(path):
            return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{path.name} is not valid JSON: {error}.", where=str(path), help="the file is damaged"
        ) from None


def jsonable(value: Any) -> Any:
    """Plain JSON values: NumPy scalars and arrays, tuples, paths and non-finite numbers are translated."""
    if isinstance(value, Mapping):
        return {str(key): jsonable(inner) for key, inner in value.items()}
    if isinstance(value, set | frozenset):
        return jsonable(sorted(value, key=str))  # the same bytes in every process
    if isinstance(value, list | tuple):
        return [jsonable(inner) for inner in value]
    if isinstance(value, np.ndarray):
        return jsonable(value.tolist())
    if isinstance(value, np.generic):
        return jsonable(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """One `.npz` file; object arrays are refused, so reading it can run nothing."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **dict(arrays))
    atomic.write_bytes(path, buffer.getvalue())


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of one `.npz` file. Raises InputMissingError (66), or DataError (65) when it is damaged."""
    if not path.is_file():
        raise InputMissingError(f"{path} does not exist.", where=str(path), help="is this the right folder?")
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path.name} cannot be read: {error}.", where=str(path), help="the file is damaged") from None


def write_array(path: Path, array: np.ndarray) -> None:
    """One `.npy` file without pickle."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    atomic.write_bytes(path, buffer.getvalue())


def read_array(path: Path) -> np.ndarray:
    """The array of one `.npy` file. Raises InputMissingError (66), or DataError (65) when it is damaged."""
    if not path.is_file():
        raise InputMissingError(f"{path} does not exist.", where=str(path), help="is this the right folder?")
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path.name} cannot be read: {error}.", where=str(path), help="the file is damaged") from None


def write_settings(path: Path, values: Mapping[str, Any]) -> None:
    """YAML that `config.read_yaml` reads back unchanged."""
    atomic.write_text(path, write_yaml(values))
