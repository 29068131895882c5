"""Features of one's own: declared by decorator in a notebook, in a plugin file, or by an installed package."""

from __future__ import annotations

import importlib
import importlib.metadata
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

from ohlcv_factory.errors import FactoryError, UsageError
from ohlcv_factory.features.feature import Category, Column, Feature
from ohlcv_factory.runtime import plugin_files
from ohlcv_factory.runtime.plugin_files import Origin

ENTRY_POINT_GROUP = "ohlcv_factory.features"
USER_CATEGORY = "user"


class BrokenPluginWarning(UserWarning):
    """An installed plugin of features could not be imported; all other features work."""


@dataclass(frozen=True)
class PluginRecord:
    """Who declared some columns: what a dataset and a run keep of a plugin."""

    place: str
    sha256: str
    """Place and digest of the columns' `Origin`."""
    columns: tuple[str, ...]

    @property
    def origin(self) -> Origin:
        """Where the columns come from."""
        return Origin(self.place, self.sha256)

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
    origin: Origin


_declared: dict[str, Declaration] = plugin_files.declarations()


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
        origin = _origin_of(column)
        made = category.feature(name, **declaration)(column)
        for declared in category.features:
            _refuse_taken(declared.name, origin.place)
        _declared.update({own.name: Declaration(own, origin) for own in category.features})
        return made

    return declare


def user_features() -> tuple[Feature, ...]:
    """Every column that was declared so far, installed packages' first."""
    _load_installed()
    return tuple(declaration.feature for declaration in _declared.values())


def features_of_file(path: str | Path) -> tuple[Feature, ...]:
    """The columns that a plugin file declared when it was run, in its order."""
    own = [each for each in _declared.values() if each.origin.is_file]
    return tuple(each.feature for each in own if Path(each.origin.place).resolve() == Path(path).resolve())


def records(columns: Sequence[str]) -> tuple[PluginRecord, ...]:
    """Who declared those of these columns that are not built in, in the order of the columns."""
    found: dict[Origin, list[str]] = {}
    for name in columns:
        if name in _declared:
            found.setdefault(_declared[name].origin, []).append(name)
    return tuple(PluginRecord(origin.place, origin.sha256, tuple(names)) for origin, names in found.items())


def require(recorded: Iterable[PluginRecord]) -> None:
    """Refuse to go on unless every recorded plugin is loaded, and is the one that made the columns.

    Raises UsageError (2) for one that was not named, VerificationError (76) for one that has changed since.
    """
    for record in recorded:
        missing = [name for name in record.columns if name not in _declared]
        if missing:
            raise plugin_files.unnamed_code(f"{', '.join(missing)}: a column", record.origin)
        for name in record.columns:
            what, advice = f"column {name!r}", "build the dataset and train again"
            plugin_files.refuse_changed(what, record.origin, _declared[name].origin, advice)


def _origin_of(column: Column) -> Origin:
    """The plugin file that is being run, else the column's module."""
    return plugin_files.running_file() or Origin(plugin_files.module_of(column), plugin_files.code_digest(column))


def _refuse_taken(name: str, place: str) -> None:
    """A name belongs to who declared it first; the same module may declare it again, as a notebook's cell does."""
    taken = _declared[name].origin.place if name in _declared else _builtin_place(name)
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
