"""Formats that run nothing when they are read: JSON, NumPy arrays without pickle, Parquet, YAML."""

from __future__ import annotations

import io
import json
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ohlcv_factory.config import MAX_YAML_BYTES, parse_yaml, write_yaml
from ohlcv_factory.errors import DataError, FactoryError, UsageError
from ohlcv_factory.storage import atomic
from ohlcv_factory.storage.regular_files import open_regular, read_regular

MOST_JSON_BYTES = 256 << 20
MOST_REASON = 200
ARRAY_ERRORS = (
    OSError, ValueError, KeyError, EOFError, TypeError, AttributeError, SyntaxError, MemoryError, NotImplementedError,
    RuntimeError, struct.error, zipfile.BadZipFile, zlib.error, tokenize.TokenError,
)  # fmt: skip
"""What NumPy and the zip reader raise for bytes that are no arrays."""


def write_json(path: Path, value: Any) -> None:
    """Indented JSON; numbers that JSON cannot hold (NaN, infinities) become null."""
    atomic.write_text(path, json.dumps(jsonable(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_canonical(path: Path, value: Any) -> None:
    """JSON of which equal values have equal bytes: sorted keys, no spaces."""
    text = json.dumps(jsonable(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    atomic.write_text(path, text + "\n")


def read_json(path: Path) -> Any:
    """Read JSON. Raises InputMissingError (66), AccessError (77), StorageError (74) or DataError (65)."""
    content = read_regular(path, MOST_JSON_BYTES)
    try:
        return json.loads(content)
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
    try:
        with open_regular(path) as stream, np.load(stream, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except ARRAY_ERRORS as error:
        if isinstance(error, FactoryError):
            raise
        raise DataError(f"{path.name} cannot be read: {error}.", where=str(path), help="the file is damaged") from None


def write_array(path: Path, array: np.ndarray) -> None:
    """One `.npy` file without pickle."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    atomic.write_bytes(path, buffer.getvalue())


def read_array(path: Path) -> np.ndarray:
    """The array of one `.npy` file. Raises InputMissingError (66), or DataError (65) when it is damaged."""
    try:
        with open_regular(path) as stream:
            return np.asarray(np.load(stream, allow_pickle=False))
    except ARRAY_ERRORS as error:
        if isinstance(error, FactoryError):
            raise
        raise DataError(f"{path.name} cannot be read: {error}.", where=str(path), help="the file is damaged") from None


def write_settings(path: Path, values: Mapping[str, Any]) -> None:
    """YAML that `config.read_yaml` reads back unchanged."""
    atomic.write_text(path, write_yaml(values))


def read_settings(path: Path) -> dict[str, Any]:
    """The values of a YAML file of a run or a study. Raises InputMissingError (66), AccessError (77) or DataError (65)."""
    content = read_regular(path, MAX_YAML_BYTES)
    with told_as_damage(path):
        return parse_yaml(content.decode("utf-8"), where=str(path)).values


@contextmanager
def told_as_damage(path: Path) -> Iterator[None]:
    """Turn whatever a parser raises about bytes that it can make nothing of into one DataError (65) that names the file.

    Settings that a file holds and nobody may have are damage too; a missing file, a wrong package and the like stay so.
    """
    try:
        yield
    except UsageError as error:
        raise DataError(f"{path.name}: {error.what}", where=str(path), help="the file is damaged") from None
    except FactoryError:
        raise
    except Exception as error:  # each library has errors of its own, and damaged values fail anywhere
        reason = (str(error).strip().splitlines() or [""])[0][:MOST_REASON]
        raise DataError(
            f"{path.name} cannot be read: {type(error).__name__}: {reason}.",
            where=str(path),
            help="the file is damaged",
        ) from None
