"""One table of all models: listed from folders and entry points without importing them, imported at `create`."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ohlcv_factory.errors import FactoryError, MissingExtraError, UsageError, unknown_name
from ohlcv_factory.runtime.packages import DISTRIBUTION, is_installed

if TYPE_CHECKING:
    from ohlcv_factory.models.base import BaseModel

Model = TypeVar("Model", bound="type[BaseModel]")

ENTRY_POINT_GROUP = "ohlcv_factory.models"
PACKAGE = "ohlcv_factory.models"
EXTRA_OF_FAMILY = {
    "boosting": "boosting",
    "classical": None,
    "neural": "neural",
    "transformer": "neural",
    "linear": "neural",
    "state_space": "neural",
    "foundation": "foundation",
    "ensemble": None,
}


class BrokenPluginWarning(UserWarning):
    """An installed plugin could not be imported; all other models work."""


@dataclass(frozen=True)
class ModelEntry:
    """What is known of a model before its file is imported."""

    name: str
    family: str
    description: str
    module: str
    requires: tuple[str, ...] = ()
    distribution: str = DISTRIBUTION

    @property
    def extra(self) -> str | None:
        """The extra that installs what the model needs; None where the core is enough."""
        return EXTRA_OF_FAMILY.get(self.family)

    @property
    def installed(self) -> bool:
        """Whether every package that the model needs can be found."""
        return all(is_installed(package) for package in self.requires)


class ModelRegistry:
    """`register`, `create`, `list_models`, `get_model_info`."""

    _entries: dict[str, ModelEntry] = {}  # noqa: RUF012  (decorated models; the built-in ones come from the folders)
    _classes: dict[str, type[BaseModel]] = {}  # noqa: RUF012

    @classmethod
    def register(
        cls, name: str | None = None, family: str | None = None, description: str = ""
    ) -> Callable[[Model], Model]:
        """Class decorator. Files of this package need no arguments: name = file, family = folder.

        Raises UsageError (2) naming both modules when the name is taken.
        """

        def decorate(model_class: Model) -> Model:
            *_, folder, file = f"..{model_class.__module__}".split(".")
            own_name, own_family = name or file, family or folder
            cls._refuse_duplicate(own_name, model_class)
            model_class.name, model_class.family = own_name, own_family
            cls._classes[own_name] = model_class
            if own_name not in builtin_entries():
                text = description or (model_class.__doc__ or "").strip().partition("\n")[0]
                cls._entries[own_name] = ModelEntry(own_name, own_family, text, model_class.__module__)
            return model_class

        return decorate

    @classmethod
    def create(cls, name: str, config: Mapping[str, Any] | None = None, **options: Any) -> BaseModel:
        """A new model. `config` holds hyper-parameters, `options` are `seed` and `threads`.

        Raises UnknownNameError (2) with the nearest name, MissingExtraError (69) with the install command.
        """
        return cls.model_class(name)(config, **options)

    @classmethod
    def model_class(cls, name: str) -> type[BaseModel]:
        """The class of a model; its file is imported now, the libraries it needs are not."""
        entry = cls.entry(name)
        if not entry.installed:
            absent = next(package for package in entry.requires if not is_installed(package))
            raise MissingExtraError(
                f"Model {name!r} needs the package {absent}, which is not installed.",
                where=name,
                help=f"pip install '{DISTRIBUTION}[{entry.extra}]'",
            )
        if name not in cls._classes:
            _import_model(entry)
        if name not in cls._classes:
            raise UsageError(
                f"{entry.module} of {entry.distribution} registers no model {name!r}.",
                where=entry.module,
                help="decorate the class: @ModelRegistry.register(name=..., family=...)",
            )
        return cls._classes[name]

    @classmethod
    def entry(cls, name: str) -> ModelEntry:
        """What is known of a model without importing it. Raises UnknownNameError (2)."""
        entries = cls.entries()
        if name not in entries:
            raise unknown_name("model", name, entries, see="ohlcv-factory models list")
        return entries[name]

    @classmethod
    def entries(cls) -> dict[str, ModelEntry]:
        """All models by name, sorted by family and name; nothing heavy is imported."""
        everything = {**builtin_entries(), **_plugin_entries(), **cls._entries}
        return dict(sorted(everything.items(), key=lambda item: (item[1].family, item[0])))

    @classmethod
    def list_models(cls) -> dict[str, list[str]]:
        """Model names by family."""
        families: dict[str, list[str]] = {}
        for entry in cls.entries().values():
            families.setdefault(entry.family, []).append(entry.name)
        return families

    @classmethod
    def get_model_info(cls, name: str) -> dict[str, Any]:
        """Family, description, input and defaults, read from the class without an instance."""
        model_class, entry = cls.model_class(name), cls.entry(name)
        spec = model_class.input_spec
        return {
            "name": name,
            "family": entry.family,
            "description": entry.description,
            "requires_scaling": spec.scaling != "none",
            "requires_sequences": spec.is_sequence,
            "input": dict(spec.__dict__),
            "default_config": model_class.get_default_config(),
            "extra": entry.extra,
            "installed": entry.installed,
            "distribution": entry.distribution,
        }

    @classmethod
    def _refuse_duplicate(cls, name: str, model_class: type[BaseModel]) -> None:
        taken = {**builtin_entries(), **cls._entries}.get(name)
        if taken and taken.module != model_class.__module__:
            raise UsageError(
                f"Model {name!r} is registered twice: by {taken.module} and by {model_class.__module__}.",
                help="give one of them another name",
            )


@cache
def builtin_entries() -> dict[str, ModelEntry]:
    """The models of this package: one folder per family, one file per model, read as text."""
    root = Path(__file__).parent
    entries = {}
    for path in sorted(root.glob("*/*.py")):
        family, name = path.parent.name, path.stem
        if name.startswith("_") or family.startswith("_"):
            continue
        description, requires = _read_header(path)
        entries[name] = ModelEntry(name, family, description, f"{PACKAGE}.{family}.{name}", requires)
    return entries


def _read_header(path: Path) -> tuple[str, tuple[str, ...]]:
    """First line of a file's docstring, and its constant REQUIRES, without running it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    requires: tuple[str, ...] = ()
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "REQUIRES":
            requires = tuple(ast.literal_eval(node.value))
    return (ast.get_docstring(tree) or "").partition("\n")[0], requires


def _import_model(entry: ModelEntry) -> None:
    """Import a model's file. Raises MissingExtraError (69) when a plugin cannot be imported."""
    try:
        importlib.import_module(entry.module)
    except FactoryError:
        raise
    except Exception as error:
        if entry.distribution == DISTRIBUTION:
            raise
        raise MissingExtraError(
            f"plugin {entry.name!r} of {entry.distribution} cannot be imported: {type(error).__name__}: {error}.",
            where=entry.module,
            help=f"mend or remove {entry.distribution}; all other models work",
        ) from error


@cache
def _plugin_entries() -> dict[str, ModelEntry]:
    """Models of installed third parties. One that cannot be found, or whose name is taken, is reported once."""
    entries: dict[str, ModelEntry] = {}
    for point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP):
        distribution = point.dist.name if point.dist else "unknown"
        module = point.value.partition(":")[0]
        problem = _plugin_problem(point.name, module, entries)
        if problem:
            warnings.warn(f"plugin {point.name!r} of {distribution} {problem}", BrokenPluginWarning, stacklevel=2)
            continue
        entries[point.name] = ModelEntry(point.name, "plugin", f"from {distribution}", module, (), distribution)
    return entries


def _plugin_problem(name: str, module: str, entries: Mapping[str, ModelEntry]) -> str:
    """Why a plugin is passed over, or nothing."""
    if not is_installed(module.partition(".")[0]):
        return f"cannot be found: {module}"
    taken = entries.get(name)
    return f"is left out: {module} and {taken.module} both bring that name" if taken else ""
