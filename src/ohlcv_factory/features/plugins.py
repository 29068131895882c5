"""Features of one's own: declared by decorator in a notebook, in a file named on the command line, or by a package.

A plugin file is code. It runs only where the user names it (`--plugin my.py`, `plugins:` in a recipe); a dataset or a run
records path and digest of what declared its columns, and nothing is ever run because a manifest says so.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import inspect
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Self

from ohlcv_factory.errors import DataError, FactoryError, InputMissingError, UsageError, VerificationError
from ohlcv_factory.features.feature import Category, Column, Feature

ENTRY_POINT_GROUP = "ohlcv_factory.features"
USER_CATEGORY = "user"


class BrokenPluginWarning(UserWarning):
    """An installed plugin of features could not be imported; all other features work."""


@dataclass(frozen=True)
class PluginRecord:
    """Who declared some columns: what a dataset and a run keep of a plugin."""

    place: str
    """The file as it was named, or the module."""
    sha256: str
    """Of the file's bytes, or of the functions' source where there is no file; empty where neither can be had."""
    columns: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """JSON- and YAML-ready."""
        return {**asdict(self), "columns": list(self.columns)}

    @classmethod
    def from_plain(cls, stored: dict[str, Any]) -> Self:
        """Read back what `plain` gave."""
        return cls(str(stored["place"]), str(stored["sha256"]), tuple(stored["columns"]))


@dataclass(frozen=True)
class Declaration:
    """One column of the user's, and where it comes from."""

    feature: Feature
    place: str
    sha256: str


_declared: dict[str, Declaration] = {}
_loading: list[tuple[str, str]] = []
"""Place and digest of the file that is being run; the decorators in it take them from here."""


def feature(name: str, **declaration: Any) -> Callable[[Column], Column]:
    """Declare a column of one's own, with the words of a built-in one; known from then on under its name.

    `column(inputs)` gets `FeatureInputs` (open, high, low, close, volume, log_return, ...) and returns float64 `(n,)`,
    row t from bars up to t only: `testing.check_feature` and `ohlcv-factory audit features` look. Keywords are those of
    `Category.feature`: formula, lookback, over, unit, scale_free, source, needs_volume, role. The category is `user`.

    Raises UsageError (2) naming both modules when the name is taken.

        @feature("gap_{}", over=(1, 5), formula="log(open / close[{}])", lookback=int)
        def gap(inputs, bars):
            return np.log(inputs.open / lagged(inputs.close, bars))
    """
    category = Category(USER_CATEGORY)

    def declare(column: Column) -> Column:
        place, sha256 = _loading[-1] if _loading else _place_of(column)
        made = category.feature(name, **declaration)(column)
        for declared in category.features:
            _refuse_taken(declared.name, place)
        _declared.update({own.name: Declaration(own, place, sha256) for own in category.features})
        return made

    return declare


def user_features() -> tuple[Feature, ...]:
    """Every column that was declared so far, installed packages' first."""
    _load_installed()
    return tuple(declaration.feature for declaration in _declared.values())


def load_plugins(paths: Iterable[str | Path]) -> None:
    """Run plugin files that the user named; a file that is known already, unchanged, is not run again.

    Raises InputMissingError (66) for a file that is absent, DataError (65) for one that fails or declares nothing,
    UsageError (2) for a name that is taken.
    """
    for path in paths:
        _load_file(str(path))


def records(columns: Sequence[str]) -> tuple[PluginRecord, ...]:
    """Who declared those of these columns that are not built in, in the order of the columns."""
    found: dict[tuple[str, str], list[str]] = {}
    for name in columns:
        if name in _declared:
            own = _declared[name]
            found.setdefault((own.place, own.sha256), []).append(name)
    return tuple(PluginRecord(*key, tuple(names)) for key, names in found.items())


def require(recorded: Iterable[PluginRecord]) -> None:
    """Refuse to go on unless every recorded plugin is loaded, and is the one that made the columns.

    Raises UsageError (2) for one that was not named, VerificationError (76) for one that has changed since.
    """
    for record in recorded:
        missing = [name for name in record.columns if name not in _declared]
        if missing:
            raise UsageError(
                f"{', '.join(missing)}: a column of {record.place}, which was not named.",
                where=record.place,
                help=f"it is code that will run: if you trust it, add --plugin {record.place}",
            )
        for name in record.columns:
            _refuse_changed(name, record)


def _refuse_changed(name: str, record: PluginRecord) -> None:
    own = _declared[name]
    if own.sha256 != record.sha256:
        raise VerificationError(
            f"{own.place} is not the file that made column {name!r}: sha256 {own.sha256[:12]}, "
            f"recorded {record.sha256[:12]} of {record.place}.",
            where=own.place,
            help="take the recorded file, or build the dataset and train again",
        )


def _load_file(place: str) -> None:
    path = Path(place)
    if not path.is_file():
        raise InputMissingError(f"plugin file {place} does not exist.", where=place, help="--plugin FILE.py")
    code = path.read_bytes()
    sha256 = hashlib.sha256(code).hexdigest()
    if any(_same_file(own.place, path) and own.sha256 == sha256 for own in _declared.values()):
        return
    module = ModuleType(f"ohlcv_plugin_{path.stem}_{sha256[:8]}")
    module.__file__ = str(path)
    with _undone_on_error(path):
        sys.modules[module.__name__] = module
        _loading.append((place, sha256))
        try:
            exec(compile(code, str(path), "exec"), module.__dict__)  # the user named this file
        except FactoryError:
            raise
        except Exception as error:
            raise DataError(
                f"plugin file {place} fails: {type(error).__name__}: {error}.", where=place, help="mend the file"
            ) from error
        finally:
            _loading.pop()
        if not any(own.place == place for own in _declared.values()):
            raise DataError(
                f"plugin file {place} declares no feature.", where=place, help="decorate one: @ohlcv_factory.feature"
            )


@contextmanager
def _undone_on_error(path: Path) -> Any:
    """Forget what an earlier state of the file declared; after an error the columns are as they were."""
    before = dict(_declared)
    for name in [name for name, own in before.items() if _same_file(own.place, path)]:
        del _declared[name]
    try:
        yield
    except BaseException:
        _declared.clear()
        _declared.update(before)
        raise


def _same_file(place: str, path: Path) -> bool:
    return place.endswith(".py") and Path(place).resolve() == path.resolve()


def _place_of(column: Column) -> tuple[str, str]:
    """Module and digest of a function: of its file, or of its own text in a notebook."""
    module = getattr(column, "__module__", None) or "__main__"
    file = getattr(sys.modules.get(module), "__file__", None)
    if file and Path(file).is_file():
        return module, hashlib.sha256(Path(file).read_bytes()).hexdigest()
    try:
        return module, hashlib.sha256(inspect.getsource(column).encode()).hexdigest()
    except (OSError, TypeError):
        return module, ""


def _refuse_taken(name: str, place: str) -> None:
    """A name belongs to who declared it first; the same module may declare it again, as a notebook's cell does."""
    taken = _declared[name].place if name in _declared else _builtin_place(name)
    if taken and taken != place:
        raise UsageError(
            f"feature {name!r} is declared twice: by {taken} and by {place}.",
            where=place,
            help="give one of them another name",
        )


def _builtin_place(name: str) -> str:
    from ohlcv_factory.features.catalogue import builtin_features

    category = next((own.category for own in builtin_features() if own.name == name), "")
    return f"{__package__} (category {category})" if category else ""


@cache
def _load_installed() -> None:
    """Import the plugins of installed third parties; one that fails is reported once, and the rest load."""
    for point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP):
        distribution = point.dist.name if point.dist else "unknown"
        before = dict(_declared)
        try:
            importlib.import_module(point.value.partition(":")[0])
        except Exception as error:
            _declared.clear()
            _declared.update(before)
            what = error.what if isinstance(error, FactoryError) else f"{type(error).__name__}: {error}"
            warnings.warn(
                f"plugin {point.name!r} of {distribution} is left out: {what}", BrokenPluginWarning, stacklevel=2
            )
