"""Python files of the user's own that declare features or models: `--plugin my.py`, or `plugins:` in a recipe.

A plugin file is code. It runs only where the user names it; a dataset or a run records path and digest of what declared
its columns or its model, and nothing is ever run because a manifest says so.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from ohlcv_factory.errors import DataError, FactoryError, InputMissingError, UsageError, VerificationError


@dataclass(frozen=True)
class Origin:
    """Where a declaration comes from."""

    place: str
    """The file as it was named, or the module."""
    sha256: str
    """Of the file's bytes, or of the declaration's own text where there is no file; empty where neither can be had."""

    @property
    def is_file(self) -> bool:
        """Whether `--plugin` can name the place."""
        return Path(self.place).suffix == ".py"


_tables: list[dict[str, Any]] = []
_running: list[Origin] = []
"""The file that is being run; what is declared meanwhile comes from it."""


def declarations() -> dict[str, Any]:
    """A new table of what users declare, by name, each with an `origin`. Whoever declares puts it in.

    What a file declared leaves the table when the file is run again after a change, and when it fails.
    """
    _tables.append({})
    return _tables[-1]


def running_file() -> Origin | None:
    """The plugin file that is being run; None outside of one."""
    return _running[-1] if _running else None


def load_plugins(paths: Iterable[str | Path]) -> None:
    """Run plugin files that the user named; a file that is known already, unchanged, is not run again.

    Raises InputMissingError (66) for a file that is absent, DataError (65) for one that fails or declares nothing,
    UsageError (2) for a name that is taken.
    """
    for path in paths:
        _load_file(str(path))


def loaded_files() -> tuple[str, ...]:
    """The plugin files that declared something in this process, as they were named."""
    return tuple(dict.fromkeys(own.place for own in _origins() if own.is_file))


def file_of(declared: Any) -> Path | None:
    """The file of the module that a function or class was written in; None in a notebook."""
    file = getattr(sys.modules.get(module_of(declared)), "__file__", None)
    return Path(file) if file and Path(file).is_file() else None


def module_of(declared: Any) -> str:
    """The name of the module that a function or class was written in."""
    return getattr(declared, "__module__", None) or "__main__"


def code_digest(declared: Any) -> str:
    """SHA-256 of the file of a function or class, or of its own text in a notebook; empty where neither can be had."""
    file = file_of(declared)
    if file:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    try:
        return hashlib.sha256(inspect.getsource(declared).encode()).hexdigest()
    except (OSError, TypeError):
        return ""


def unnamed_code(what: str, recorded: Origin) -> UsageError:
    """The error for a column or a model of code that is not there because nobody named it."""
    advice = f"it is code that will run: if you trust it, add --plugin {recorded.place}"
    if not recorded.is_file:
        advice = f"import {recorded.place} before, or put its code into a file and name that: --plugin FILE.py"
    return UsageError(f"{what} of {recorded.place}, which was not named.", where=recorded.place, help=advice)


def refuse_changed(what: str, recorded: Origin, found: Origin, advice: str) -> None:
    """Raise VerificationError (76) where other code than the recorded one declared something."""
    if found.sha256 != recorded.sha256:
        raise VerificationError(
            f"{found.place} is not the file that made {what}: sha256 {found.sha256[:12]}, "
            f"recorded {recorded.sha256[:12]} of {recorded.place}.",
            where=found.place,
            help=f"take the recorded file, or {advice}",
        )


def _load_file(place: str) -> None:
    path = Path(place)
    if not path.is_file():
        raise InputMissingError(f"plugin file {place} does not exist.", where=place, help="--plugin FILE.py")
    code = path.read_bytes()
    origin = Origin(place, hashlib.sha256(code).hexdigest())
    if any(_same_file(own.place, path) and own.sha256 == origin.sha256 for own in _origins()):
        return
    with _undone_on_error(path):
        _run(code, origin)
        if origin not in _origins():
            raise DataError(
                f"plugin file {place} declares no feature and no model.",
                where=place,
                help="decorate one: @ohlcv_factory.feature(...) or @ohlcv_factory.ModelRegistry.register(...)",
            )


def _run(code: bytes, origin: Origin) -> None:
    module = ModuleType(f"ohlcv_plugin_{Path(origin.place).stem}_{origin.sha256[:8]}")
    module.__file__ = origin.place
    sys.modules[module.__name__] = module
    _running.append(origin)
    try:
        exec(compile(code, origin.place, "exec"), module.__dict__)  # the user named this file
    except FactoryError:
        raise
    except Exception as error:
        raise DataError(
            f"plugin file {origin.place} fails: {type(error).__name__}: {error}.",
            where=origin.place,
            help="mend the file",
        ) from error
    finally:
        _running.pop()


def _origins() -> list[Origin]:
    return [own.origin for table in _tables for own in table.values()]


@contextmanager
def _undone_on_error(path: Path) -> Iterator[None]:
    """Forget what an earlier state of the file declared; after an error all tables are as they were."""
    before = {id(table): dict(table) for table in _tables}
    for table in _tables:
        _forget(table, path)
    try:
        yield
    except BaseException:
        for table in _tables:
            _forget(table, path)  # all that is to do for a table that is new since
            if id(table) in before:
                table.clear()
                table.update(before[id(table)])
        raise


def _forget(table: dict[str, Any], path: Path) -> None:
    for name in [name for name, own in table.items() if _same_file(own.origin.place, path)]:
        del table[name]


def _same_file(place: str, path: Path) -> bool:
    return Path(place).suffix == ".py" and Path(place).resolve() == path.resolve()
