"""One table of all models: listed from folders and entry points without importing them, imported at `create`."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ohlcv_factory.errors import FactoryError, MissingExtraError, UsageError, unknown_name
from ohlcv_factory.runtime import plugin_files
from ohlcv_factory.runtime.packages import DISTRIBUTION, is_installed
from ohlcv_factory.runtime.plugin_files import Origin

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
    """The module that registers it, or the plugin file."""
    requires: tuple[str, ...] = ()
    distribution: str | None = DISTRIBUTION
    """The installed package that brings it; None for a model of a plugin file, a script or a notebook."""

    @property
    def extra(self) -> str | None:
        """The extra that installs what the model needs; None where the core is enough."""
        return EXTRA_OF_FAMILY.get(self.family)

    @property
    def installed(self) -> bool:
        """Whether every package that the model needs can be found."""
        return all(is_installed(package) for package in self.requires)


@dataclass(frozen=True)
class DeclaredModel:
    """A registered model that is not built in, and where its code comes from."""

    entry: ModelEntry
    model_class: type[BaseModel]
    origin: Origin


class ModelRegistry:
    """`register`, `create`, `list_models`, `get_model_info`."""

    _declared: dict[str, DeclaredModel] = plugin_files.declarations()
    _classes: dict[str, type[BaseModel]] = {}  # noqa: RUF012  (of the built-in models that were imported)

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
            if not (name and family) and not model_class.__module__.startswith(f"{PACKAGE}."):
                raise UsageError(
                    f"{_module_of(model_class)} registers a model without its name and family.",
                    help='for example: @ModelRegistry.register("my_model", family="neural")',
                )
            cls._refuse_duplicate(own_name, model_class)
            model_class.name, model_class.family = own_name, own_family
            if own_name in builtin_entries():
                cls._classes[own_name] = model_class
            else:
                cls._declared[own_name] = _declaration(model_class, description)
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
        if cls._known_class(name) is None:
            _import_model(entry)
        known = cls._known_class(name)
        if known is None:
            raise UsageError(
                f"{entry.module} of {entry.distribution} registers no model {name!r}.",
                where=entry.module,
                help="decorate the class: @ModelRegistry.register(name=..., family=...)",
            )
        return known

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
        own = {name: declared.entry for name, declared in cls._declared.items()}
        everything = {**builtin_entries(), **_plugin_entries(), **own}
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
        spec, origin = model_class.input_spec, cls.origin(name)
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
            **({"plugin": asdict(origin)} if origin else {}),
        }

    @classmethod
    def origin(cls, name: str) -> Origin | None:
        """The plugin file, script or notebook that registered a model; None for built-in and installed ones."""
        declared = cls._declared.get(name)
        return declared.origin if declared and declared.entry.distribution is None else None

    @classmethod
    def of_file(cls, path: str | Path) -> str:
        """The name of the one model that a plugin file registered when run. Raises UsageError (2) for any other number."""
        own = [name for name in cls._declared if (origin := cls.origin(name)) and _is_file(origin, Path(path))]
        if len(own) != 1:
            found = f"{len(own)} models: {', '.join(own)}" if own else "no model"
            raise UsageError(
                f"{path} registers {found}.", where=str(path), help="name the model, and the file with --plugin"
            )
        return own[0]

    @classmethod
    def require(cls, name: str, recorded: Origin | None) -> None:
        """Refuse to go on unless the model of a run is registered, by the code that the run recorded.

        Raises UsageError (2) where that code was not named, VerificationError (76) where it has changed since.
        """
        if recorded is None:
            return
        found = cls.origin(name)
        if found is None:
            raise plugin_files.unnamed_code(f"{name!r}: a model", recorded)
        plugin_files.refuse_changed(f"model {name!r}", recorded, found, "train again")

    @classmethod
    def _known_class(cls, name: str) -> type[BaseModel] | None:
        declared = cls._declared.get(name)
        return declared.model_class if declared else cls._classes.get(name)

    @classmethod
    def _refuse_duplicate(cls, name: str, model_class: type[BaseModel]) -> None:
        taken, module = {**cls.entries(), **builtin_entries()}.get(name), _module_of(model_class)
        if taken and not _brings(taken, module):
            raise UsageError(
                f"Model {name!r} is registered twice: by {taken.module} and by {module}.",
                help="give one of them another name",
            )


def _is_file(origin: Origin, path: Path) -> bool:
    return origin.is_file and Path(origin.place).resolve() == path.resolve()


def _brings(entry: ModelEntry, module: str) -> bool:
    """Whether a module is where a model comes from: an entry point may name another module of its package."""
    if entry.distribution in (None, DISTRIBUTION):
        return entry.module == module
    return entry.module.partition(".")[0] == module.partition(".")[0]


def _module_of(model_class: type[BaseModel]) -> str:
    running = plugin_files.running_file()
    return running.place if running else model_class.__module__


def _declaration(model_class: type[BaseModel], description: str) -> DeclaredModel:
    """A registered class as a declaration; one of an installed package keeps that package's name."""
    installed = _plugin_entries().get(model_class.name)
    text = description or (model_class.__doc__ or "").strip().partition("\n")[0]
    distribution = installed.distribution if installed else None
    entry = ModelEntry(model_class.name, model_class.family, text, _module_of(model_class), (), distribution)
    return DeclaredModel(entry, model_class, _origin_of(model_class))


def _origin_of(model_class: type[BaseModel]) -> Origin:
    """The plugin file that is being run, else the class's file, else the notebook."""
    file = plugin_files.file_of(model_class)
    place = str(file) if file else plugin_files.module_of(model_class)
    return plugin_files.running_file() or Origin(place, plugin_files.code_digest(model_class))


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
