"""A checkpoint as a folder that was looked over: nothing is parsed before every file in it is known to be harmless.

A folder holds `config.json` and `model.safetensors`; texts beside them are allowed, everything else is refused by name.
Weights are checked by the header of their file, so that no library meets a name, shape or size that it does not expect.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ohlcv_factory.errors import DataError, InputMissingError, VerificationError
from ohlcv_factory.models._foundation.known_checkpoints import known_checkpoint
from ohlcv_factory.models.pretraining import Pretraining
from ohlcv_factory.storage.digests import file_digest, value_digest

CONFIG, WEIGHTS = "config.json", "model.safetensors"
TEXTS = frozenset({"README.md", "LICENSE", "LICENSE.md", "LICENSE.txt", "NOTICE", "generation_config.json"})
"""Files that may lie beside the two that are loaded; they do not count in the digest."""
BOOKKEEPING = frozenset({".cache", ".gitattributes", ".gitignore"})
"""What `hf download --local-dir` leaves; never opened."""
REFUSED_SUFFIXES: Mapping[str, str] = {
    **dict.fromkeys(
        (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib"), "a pickle runs code when it is read"
    ),
    **dict.fromkeys((".py", ".pyc", ".so", ".sh", ".dll"), "it is code"),
}
REDIRECTING = frozenset(
    {
        "auto_map",
        "trust_remote_code",
        "custom_pipelines",
        "quantization_config",
        "transformers_weights",
        "fusion_config",
    }
    | {"attn_implementation", "_attn_implementation", "_attn_implementation_internal"}
)
"""Keys of a configuration that make a library load code, kernels or weights from elsewhere."""
MOST_CONFIG_BYTES, MOST_HEADER_BYTES = 1 << 20, 16 << 20
ITEM_BYTES = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
FOLDERS_VARIABLE = "FACTORY_CHECKPOINTS"
"""Folders that hold checkpoint folders, separated as in PATH."""
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


@dataclass(frozen=True)
class CheckpointKind:
    """The checkpoints that one model takes: what their `config.json` must say."""

    model: str
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Checkpoint:
    """A folder that was looked over."""

    folder: Path
    config: Mapping[str, Any]
    """`config.json`."""
    shapes: Mapping[str, tuple[int, ...]]
    """Shape of every tensor in the weights, by name."""
    pretraining: Pretraining

    @property
    def parameters(self) -> int:
        """How many numbers the weights are."""
        return sum(math.prod(shape) for shape in self.shapes.values())


def open_checkpoint(place: str, kind: CheckpointKind, *, data_until: str | None = None) -> Checkpoint:
    """The checkpoint of a folder, or of a hub name that this machine has a copy of; nothing is fetched, nothing runs.

    A name is looked for in the hub's local cache and in the folders of `FACTORY_CHECKPOINTS`. `data_until` is what the
    user says of a checkpoint that is not known here. Raises InputMissingError (66) where there is no folder, with the
    command that fetches it, and DataError (65) for a folder with a file, a key or a class that has no business there.
    """
    folder = _located(place)
    _refuse_other_files(folder)
    config = _read_config(folder / CONFIG)
    _refuse_other_class(config, kind, folder)
    shapes = weight_shapes(folder / WEIGHTS)
    name = place if HUB_NAME.fullmatch(place) and not Path(place).is_dir() else folder.name
    return Checkpoint(folder, config, shapes, _pretraining(name, folder, data_until))


def reopen_checkpoint(saved: Pretraining, kind: CheckpointKind) -> Checkpoint:
    """The checkpoint that a saved model refers to, found again by place or by name, with the digest that it had.

    Raises InputMissingError (66) where it is gone, VerificationError (76) where another lies in its place.
    """
    places = [str(folder) for folder in _where_it_may_lie(saved)]
    for place in places:
        found = open_checkpoint(place, kind, data_until=saved.data_until)
        if found.pretraining.digest == saved.digest:
            return replace(found, pretraining=saved)
    wanted = f"put {saved.name} (sha256 {saved.digest[:12]}…) into a folder of {FOLDERS_VARIABLE}"
    if places:
        raise VerificationError(
            "the checkpoint is not the one that the model was made with: its digest differs.",
            where=places[0],
            help=wanted,
        )
    raise InputMissingError(
        f"the checkpoint {saved.name} that the model was made with is not here.", where=saved.path, help=wanted
    )


def _where_it_may_lie(saved: Pretraining) -> Iterator[Path]:
    """Folders that may hold a model's checkpoint today: where it lay, where folders of its name are, the hub's cache."""
    if Path(saved.path).is_dir():
        yield Path(saved.path)
    yield from _in_named_folders(saved.name)
    snapshot = _hub_snapshot(saved.name)
    if snapshot is not None:
        yield snapshot


def _located(place: str) -> Path:
    """The folder of a place."""
    folder = Path(place).expanduser()
    if folder.is_dir():
        return folder.absolute()
    if not HUB_NAME.fullmatch(place):
        raise InputMissingError(f"checkpoint {place!r} is not a folder.", where=place, help="check the path")
    found = next(_in_named_folders(place), None) or _hub_snapshot(place)
    if found is not None:
        return found
    short = place.rpartition("/")[2]
    raise InputMissingError(
        f"checkpoint {place!r} is not on this machine: nothing is downloaded while training or predicting.",
        where=place,
        help=f"where the hub is reachable: hf download {place} {CONFIG} {WEIGHTS} --local-dir {short}; "
        f"then --set model.checkpoint=./{short}",
    )


def _in_named_folders(name: str) -> Iterator[Path]:
    """The folders called `name`, or its last part, in the folders of `FACTORY_CHECKPOINTS`."""
    for parent in filter(None, os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep)):
        for called in dict.fromkeys((name, name.rpartition("/")[2])):
            folder = Path(parent).expanduser() / called
            if folder.is_dir():
                yield folder.absolute()


def _hub_snapshot(name: str) -> Path | None:
    """The copy of a hub's model that the hub's own tools keep on this machine, or None."""
    environment = os.environ.get
    home = environment("HF_HOME") or Path(environment("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    cache = Path(environment("HF_HUB_CACHE") or Path(home) / "hub").expanduser()
    model = cache / f"models--{name.replace('/', '--')}"
    revision = model / "refs" / "main"
    if not revision.is_file():
        return None
    snapshot = model / "snapshots" / Path(revision.read_text(encoding="utf-8").strip()).name
    return snapshot.absolute() if snapshot.is_dir() else None


def _refuse_other_files(folder: Path) -> None:
    """Raise where a file is missing (66), or is none of those that a checkpoint consists of (65)."""
    is_snapshot = folder.parent.name == "snapshots" and folder.parents[1].name.startswith("models--")
    root = folder.parents[1] if is_snapshot else folder  # the hub's cache links from each snapshot to its model's files
    names = sorted(path.name for path in folder.iterdir())
    for name in names:
        if name not in BOOKKEEPING:
            _refuse_file(folder, name)
            _refuse_irregular(folder / name, root)
    for name in (CONFIG, WEIGHTS):
        if name not in names:
            raise InputMissingError(
                f"the checkpoint has no {name}.", where=str(folder), help=f"a checkpoint is {CONFIG} and {WEIGHTS}"
            )


def _refuse_file(folder: Path, name: str) -> None:
    suffix = Path(name).suffix.lower()
    if name in (CONFIG, WEIGHTS) or name in TEXTS:
        return
    reason = REFUSED_SUFFIXES.get(suffix, "no checkpoint that is loaded here has such a file")
    raise DataError(
        f"the checkpoint holds {name}: {reason}.",
        where=str(folder / name),
        help=f"keep {CONFIG} and {WEIGHTS}, remove the rest",
    )


def _refuse_irregular(path: Path, root: Path) -> None:
    """Raise DataError (65) for anything but a regular file, or a link to one inside `root`."""
    inside = path.resolve().is_relative_to(root.resolve())
    is_link = stat.S_ISLNK(path.lstat().st_mode)
    if is_link and not (inside and path.exists()):
        raise DataError(
            f"{path.name} of the checkpoint links out of its folder.", where=str(path), help="copy the file"
        )
    if not stat.S_ISREG(path.stat().st_mode):
        raise DataError(f"{path.name} of the checkpoint is no regular file.", where=str(path), help="remove it")


def _read_config(path: Path) -> dict[str, Any]:
    if path.stat().st_size > MOST_CONFIG_BYTES:
        raise DataError(
            f"{CONFIG} of the checkpoint is larger than 1 MiB.", where=str(path), help="it holds settings only"
        )
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{CONFIG} of the checkpoint is not valid JSON: {error}.", where=str(path), help="fetch it again"
        ) from None
    if not isinstance(config, dict):
        raise DataError(f"{CONFIG} of the checkpoint holds no settings.", where=str(path), help="fetch it again")
    refuse_redirecting(config, path)
    return config


def refuse_redirecting(config: Mapping[str, Any], place: Path) -> None:
    """Raise DataError (65) for a configuration that would make a library look elsewhere."""
    redirecting = sorted(REDIRECTING & set(_keys(config)))
    if redirecting:
        raise DataError(
            f"{CONFIG} of the checkpoint has {redirecting[0]!r}: it would load code from elsewhere, which is never done.",
            where=str(place),
            help="use a checkpoint of the library's own classes",
        )


def _keys(value: Any) -> Iterator[str]:
    """Every key at any depth."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            yield from each
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)


def _refuse_other_class(config: Mapping[str, Any], kind: CheckpointKind, folder: Path) -> None:
    for key, wanted in kind.facts.items():
        if config.get(key) != wanted:
            raise DataError(
                f"model {kind.model!r} takes checkpoints whose {CONFIG} says {key} {wanted!r}, "
                f"this one says {str(config.get(key))[:80]!r}.",
                where=str(folder / CONFIG),
                help="use the model that this checkpoint is made for, or another checkpoint",
            )


def weight_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Shapes by name from the header of a safetensors file, read without a library. Raises DataError (65) for a damaged one."""
    try:
        header, length = _weights_header(path)
        shapes = {str(name): tuple(map(int, entry["shape"])) for name, entry in header.items()}
        sizes = [ITEM_BYTES[entry["dtype"]] * math.prod(shapes[name]) for name, entry in header.items()]
        spans = [end - begin for begin, end in (entry["data_offsets"] for entry in header.values())]
        if spans != sizes or any(count < 0 for shape in shapes.values() for count in shape):
            raise ValueError("a tensor is not as long as its shape says")
        if not shapes or 8 + length + sum(sizes) != path.stat().st_size:
            raise ValueError(f"its tensors take {sum(sizes)} bytes, the file has {path.stat().st_size}")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{path.name} is damaged: {error}.", where=str(path), help="fetch it again") from None
    return shapes


def _weights_header(path: Path) -> tuple[dict[str, Any], int]:
    """The header of a safetensors file without its free text, and how many bytes it takes."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if not 2 <= length <= min(MOST_HEADER_BYTES, size - 8):
            raise ValueError(f"a header of {length} bytes in a file of {size}")
        header: dict[str, Any] = json.loads(stream.read(length))
    header.pop("__metadata__", None)
    return header, length


def _pretraining(name: str, folder: Path, data_until: str | None) -> Pretraining:
    """Name, digest, licence and cut-off: what is known of the name, else what the user says."""
    digest = value_digest({part: _stored_digest(folder / part) for part in (CONFIG, WEIGHTS)})
    known = known_checkpoint(name)
    if data_until is not None:
        licence = known.licence if known else None
        return Pretraining(name, str(folder), digest, licence, data_until, "the user says so")
    if known is None:
        return Pretraining(name, str(folder), digest, None, None, "not a checkpoint that is known here")
    return Pretraining(name, str(folder), digest, known.licence, known.data_until, f"by its name: {known.source}")


def _stored_digest(path: Path) -> str:
    """The digest of a file, taken once as long as its size, times and place stay the same."""
    facts = path.stat()
    return _digest_of(path, facts.st_ino, facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=64)
def _digest_of(path: Path, inode: int, size: int, changed_ns: int) -> str:
    return file_digest(path)
