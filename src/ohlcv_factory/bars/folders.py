"""Files and folders, as a person names them, to the bar files that they stand for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ohlcv_factory.bars.table import SHOWN
from ohlcv_factory.errors import InputMissingError, UsageError

SUFFIXES = frozenset(
    {".csv", ".txt", ".tsv", ".json", ".parquet", ".pq", ".feather", ".arrow", ".ipc", ".dbn", ".gz", ".zip", ".zst"}
)
"""Names that a walk through a folder takes for bar files; a file that is named itself may have any name."""


@dataclass(frozen=True)
class FoundFile:
    """A file, and what messages call it: its name, or its path below the folder that was named."""

    path: Path
    source: str


def found_files(paths: list[Path]) -> tuple[list[FoundFile], tuple[str, ...]]:
    """The bar files that paths stand for, folders walked in order of names, and a note on files that were left out.

    Hidden files and folders are skipped. Raises UsageError (2) without any path or for a file named twice,
    InputMissingError (66) for a folder without bar files.
    """
    if not paths:
        raise UsageError("no bar file was named.", where="FILES", help="ohlcv-factory data check BARS.csv")
    found: list[FoundFile] = []
    notes: list[str] = []
    for path in paths:
        inside, left_out = _walked(path) if path.is_dir() else ([FoundFile(path, path.name)], [])
        found += inside
        if left_out:
            more = f" and {len(left_out) - SHOWN} more" if len(left_out) > SHOWN else ""
            notes.append(f"left out in {path}: {', '.join(left_out[:SHOWN])}{more} (no bar files by their names)")
    _refuse_twice(found)
    return _told_apart(found), tuple(notes)


def _walked(folder: Path) -> tuple[list[FoundFile], list[str]]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    shown = [path for path in files if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    bars = [path for path in shown if path.suffix.lower() in SUFFIXES]
    if not bars:
        raise InputMissingError(
            f"{folder} is a directory without bar files.",
            where=str(folder),
            help=f"it holds {_names(shown, folder)}; bar files end in {', '.join(sorted(SUFFIXES))}",
        )
    left_out = [path.relative_to(folder).as_posix() for path in shown if path not in set(bars)]
    return [FoundFile(path, path.relative_to(folder).as_posix()) for path in bars], left_out


def _names(paths: Iterable[Path], folder: Path) -> str:
    return ", ".join(path.relative_to(folder).as_posix() for path in list(paths)[:SHOWN]) or "nothing"


def _refuse_twice(found: list[FoundFile]) -> None:
    seen: set[Path] = set()
    for file in found:
        real = file.path.resolve()
        if real in seen:
            raise UsageError(f"{file.path} is named twice.", where="FILES", help="name it once")
        seen.add(real)


def _told_apart(found: list[FoundFile]) -> list[FoundFile]:
    """Files of one name in two folders are called by their whole path."""
    names = [file.source for file in found]
    return [FoundFile(file.path, str(file.path)) if names.count(file.source) > 1 else file for file in found]
