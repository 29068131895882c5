"""Files that would touch a canary if anything ran them: one per way that somebody has used."""

from __future__ import annotations

import io
import os
import pickle
import secrets
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np


class Touch:
    """Pickled, it touches a file wherever it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.canary}",)


def pickled(canary: Path) -> bytes:
    """A pickle, which joblib and `read_pickle` read too."""
    return pickle.dumps(Touch(canary))


def torch_archive(canary: Path) -> bytes:
    """What `torch.load` takes for a checkpoint: a zip whose `data.pkl` is that pickle."""
    return _zip({"archive/data.pkl": pickled(canary), "archive/version": b"3\n"})


def object_arrays(canary: Path) -> bytes:
    """An `.npz` of one object array, as `np.savez` with pickle writes it."""
    array = io.BytesIO()
    np.lib.format.write_array(array, np.array([Touch(canary)], dtype=object), allow_pickle=True)
    return _zip({"thresholds.npy": array.getvalue()})


def object_array(canary: Path) -> bytes:
    """The same as `.npy`."""
    array = io.BytesIO()
    np.lib.format.write_array(array, np.array([Touch(canary)], dtype=object), allow_pickle=True)
    return array.getvalue()


def planted_skops(canary: Path) -> bytes:
    """A `.skops` archive whose schema names `os.system` as the type of the object."""
    schema = (
        '{"__class__": "system", "__module__": "posix", "__loader__": "FunctionNode", "__id__": 1, '
        '"content": {"module_path": "posix", "function": "system"}, "protocol": 2, "_skops_version": "0.16.0"}'
    )
    return _zip({"schema.json": schema.encode(), "note": str(canary).encode()})


def huge_header(canary: Path) -> bytes:
    """A safetensors file whose header claims 2^62 bytes."""
    return struct.pack("<Q", 1 << 62) + b'{"a": 1}'


def yaml_tag(canary: Path) -> bytes:
    """The tag that `yaml.unsafe_load` runs."""
    return f"a: !!python/object/apply:os.system ['touch {canary}']\n".encode()


def yaml_bomb(canary: Path) -> bytes:
    """Nine levels of nine aliases: a billion of words once somebody walks it."""
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    return "\n".join(lines).encode()


def yaml_of_10_mb(canary: Path) -> bytes:
    """Ten megabytes of one key."""
    return b"a: " + b"x" * (10 << 20)


def zip_that_climbs(canary: Path) -> bytes:
    """A zip whose member would be written outside."""
    return _zip({f"../../{canary.name}": b"out"})


def _zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def make_fifo(path: Path) -> None:
    """A pipe in the place of a file: `open` waits for a writer that never comes."""
    path.unlink()
    os.mkfifo(path)
    assert stat.S_ISFIFO(path.lstat().st_mode)


def make_symlink(path: Path) -> None:
    """A link to a file of the same bytes outside of the folder."""
    outside = _outside(path)
    outside.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(outside)


def make_hardlink(path: Path) -> None:
    """A second name of the file, outside of the folder."""
    os.link(path, _outside(path))


def _outside(path: Path) -> Path:
    """A new name out of the folder that is attacked, on the same disk."""
    return path.parent.parent.parent / f"outside-{secrets.token_hex(4)}-{path.name}"
