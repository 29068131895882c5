"""Typed settings and their YAML.

A settings class is a frozen pydantic model: strict types, ranges on the fields, unknown keys refused with the nearest
name. `setting(...)` puts default, range, search range and source on the one place where a value is declared.

YAML is read as YAML 1.2 core (`NO` is a string, `1e-3` a number, `12:30` a string); duplicate keys, aliases and tags
are refused with their line, because each of them silently changes what was asked.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from ohlcv_factory.errors import AccessError, InputMissingError, UsageError, nearest

MAX_YAML_BYTES = 1 << 20
ENVIRONMENT_PREFIX = "FACTORY_"


def _as_path(value: object) -> object:
    return Path(value) if isinstance(value, str) else value


PathSetting = Annotated[Path, BeforeValidator(_as_path)]


def _integer_keys(table: object) -> object:
    if not isinstance(table, dict):
        return table
    return {int(key) if isinstance(key, str) and key.isdigit() else key: value for key, value in table.items()}


IntegerKeys = BeforeValidator(_integer_keys)
"""For tables keyed by a number: JSON and `--set barriers.20.k_up=2` give the key as text."""


@dataclass(frozen=True)
class Search:
    """The range that tuning may draw a field from."""

    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: tuple[Any, ...] | None = None


def setting(
    default: Any,
    help: str = "",
    *,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    search: Search | None = None,
    source: str = "",
) -> Any:
    """One field of a settings class: default, what it does, allowed range, search range, where the figure comes from."""
    notes: dict[str, Any] = {"source": source}
    if search is not None:
        notes["search"] = search.__dict__
    return Field(default, description=help or None, json_schema_extra=notes, ge=ge, gt=gt, le=le, lt=lt)


class Settings(BaseModel):
    """Base of all settings: strict, frozen, finite numbers, no unknown key."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
        protected_namespaces=(),
        use_attribute_docstrings=True,
    )

    @classmethod
    def parse(
        cls, values: Mapping[str, Any], *, where: str = "", lines: Mapping[str, int] | None = None, section: str = ""
    ) -> Self:
        """Settings from plain values; every broken rule is named at once.

        `where` is the file or flag that the values come from, `lines` the line of each dotted key in that file,
        `section` the dotted key that the values stand under. Raises UsageError (2).
        """
        try:
            return cls.model_validate(_tuples(values))
        except ValidationError as error:
            place = Place(where, lines or {}, section)
            raise settings_error(cls, error.errors(include_url=False), place) from None

    def plain(self) -> dict[str, Any]:
        """JSON- and YAML-ready values, in the order of declaration."""
        return self.model_dump(mode="json")


@dataclass(frozen=True)
class Place:
    """Where values come from: file or flag, line of each dotted key, section that they stand under."""

    where: str
    lines: Mapping[str, int]
    section: str

    def name(self, path: tuple[int | str, ...]) -> str:
        """The dotted key of a field."""
        return ".".join(str(part) for part in (*([self.section] if self.section else []), *path))

    def line(self, path: tuple[int | str, ...]) -> str:
        """` (file:line)` of a field, or nothing where the file does not hold it."""
        line = self.lines.get(self.name(path))
        return f" ({self.where}:{line})" if line else ""


def settings_error(cls: type[BaseModel], problems: list[ErrorDetails], place: Place) -> UsageError:
    """One error that lists each broken rule as `key: rule, got value (file:line)`."""
    sentences = [_problem_sentence(cls, problem, place) for problem in problems]
    return UsageError(
        "; ".join(sentences), where=place.where, help="see `ohlcv-factory config show` for keys and ranges"
    )


def _problem_sentence(cls: type[BaseModel], problem: ErrorDetails, place: Place) -> str:
    path, line = place.name(problem["loc"]), place.line(problem["loc"])
    if problem["type"] == "extra_forbidden":
        close = nearest(str(problem["loc"][-1]), _fields_at(cls, problem["loc"][:-1]))
        return f"{path}: unknown key{f'; did you mean {close!r}?' if close else ''}{line}"
    if problem["type"] == "value_error":
        message = problem["msg"].removeprefix("Value error, ")
        return (f"{path}: " if path else "") + message + line
    return f"{path}: {problem['msg'][0].lower()}{problem['msg'][1:]}, got {problem['input']!r}{line}"


def _fields_at(cls: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    for part in path:
        field = cls.model_fields.get(str(part))
        inner = getattr(field, "annotation", None)
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        cls = inner
    return list(cls.model_fields)


def _tuples(value: Any) -> Any:
    """Lists become tuples, as the frozen settings hold them."""
    if isinstance(value, Mapping):
        return {key: _tuples(inner) for key, inner in value.items()}
    return tuple(_tuples(inner) for inner in value) if isinstance(value, list) else value


@dataclass(frozen=True)
class Document:
    """A YAML file: its values and the line of every dotted key."""

    values: dict[str, Any]
    lines: dict[str, int]
    where: str


def read_yaml(path: Path | str) -> Document:
    """Read one YAML mapping. Raises InputMissingError (66), AccessError (77) or UsageError (2) with file and line."""
    path = Path(path)
    try:
        return parse_yaml(_yaml_text(path), where=str(path))
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path} is not UTF-8: byte {error.start}.", where=str(path), help="save it as UTF-8"
        ) from None
    except PermissionError as error:
        raise AccessError(f"{path}: {error.strerror}.", where=str(path), help="check owner and mode") from None


def _yaml_text(path: Path) -> str:
    if not path.is_file():
        raise InputMissingError(f"{path} does not exist or is not a file.", where=str(path), help="check the path")
    if path.stat().st_size > MAX_YAML_BYTES:
        raise UsageError(f"{path} is larger than 1 MiB.", where=str(path), help="a recipe names only what differs")
    return path.read_text(encoding="utf-8")


def parse_yaml(text: str, *, where: str = "<text>") -> Document:
    """Parse one YAML mapping by the rules of YAML 1.2 core."""
    try:
        node = yaml.compose(text, Loader=_CoreLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{where}:{mark.line + 1}" if mark else where
        raise UsageError(
            f"not valid YAML: {getattr(error, 'problem', error)}", where=place, help="check the line"
        ) from None
    except RecursionError:
        raise UsageError("lists or keys are nested too deeply.", where=where, help="write a flatter file") from None
    lines: dict[str, int] = {}
    values = {} if node is None else _build(node, (), lines, where)
    if not isinstance(values, dict):
        raise UsageError("the file must hold keys and values.", where=where, help="for example: model_name: xgboost")
    return Document(values, lines, where)


class _CoreLoader(yaml.SafeLoader):
    """SafeLoader without YAML 1.1's surprises; aliases and tags are refused while composing."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "aliases are not allowed", event.start_mark)
        if event.tag is not None:
            raise yaml.composer.ComposerError(None, None, f"tag {event.tag!r} is not allowed", event.start_mark)
        return super().compose_node(parent, index)


_CORE_SCALARS = (
    (re.compile(r"^(?:~|null|Null|NULL|)$"), lambda text: None),
    (re.compile(r"^(?:true|True|TRUE)$"), lambda text: True),
    (re.compile(r"^(?:false|False|FALSE)$"), lambda text: False),
    (re.compile(r"^[-+]?[0-9]{1,400}$"), int),  # longer ones become infinite below, where no setting takes them
    (re.compile(r"^0o[0-7]+$"), lambda text: int(text, 8)),
    (re.compile(r"^0x[0-9a-fA-F]+$"), lambda text: int(text, 16)),
    (re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$"), float),
    (re.compile(r"^(?:[-+]?\.(?:inf|Inf|INF)|\.nan|\.NaN|\.NAN)$"), lambda text: float(text.replace(".", ""))),
)


def scalar(text: str) -> Any:
    """The value of a plain YAML 1.2 core scalar; also how `--set key=value` reads its value."""
    for pattern, convert in _CORE_SCALARS:
        if pattern.match(text):
            return convert(text)
    return text


def _build(node: yaml.Node, path: tuple[str, ...], lines: dict[str, int], where: str) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _build_mapping(node, path, lines, where)
    if isinstance(node, yaml.SequenceNode):
        return [_build(inner, path, lines, where) for inner in node.value]
    is_plain = isinstance(node, yaml.ScalarNode) and node.style is None
    return scalar(node.value) if is_plain else node.value


def _build_mapping(node: yaml.MappingNode, path: tuple[str, ...], lines: dict[str, int], where: str) -> dict[Any, Any]:
    values: dict[Any, Any] = {}
    seen: dict[Any, int] = {}
    for key_node, value_node in node.value:
        key, line = _build(key_node, path, lines, where), key_node.start_mark.line + 1
        if isinstance(key, dict | list):
            raise UsageError("a key must be one word.", where=f"{where}:{line}", help="quote text that has brackets")
        if key in seen:
            raise UsageError(
                f"key {key!r} stands twice, in lines {seen[key]} and {line}.", where=where, help="keep one"
            )
        seen[key] = line
        here = (*path, str(key))
        lines[".".join(here)] = line
        values[key] = _build(value_node, here, lines, where)
    return values


def write_yaml(values: Mapping[str, Any]) -> str:
    """YAML text of plain values, in their order, that `parse_yaml` reads back unchanged."""
    return yaml.dump(dict(values), Dumper=_PlainDumper, sort_keys=False, allow_unicode=True, default_flow_style=None)


class _PlainDumper(yaml.SafeDumper):
    """SafeDumper that never writes an alias and quotes every text that our reader would take for something else."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text_node(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, _text_style(text))


def _text_style(text: str) -> str | None:
    if not text.isprintable():
        return '"'  # the only style that keeps every line break and control character
    return None if isinstance(scalar(text), str) else "'"


_PlainDumper.add_representer(str, _text_node)


@dataclass(frozen=True)
class Layers:
    """Values merged in the order defaults < recipe < file < FACTORY_* environment < --set, with the source of each key.

    The source of a section is that of the key in it that was set last; `lines` holds what the files have the say on.
    """

    values: dict[str, Any]
    sources: dict[str, str]
    lines: dict[str, int]
    where: str

    @classmethod
    def merge(
        cls, documents: list[Document], overrides: Sequence[str] = (), flags: Mapping[str, Any] | None = None
    ) -> Layers:
        """Merge YAML documents, the environment, `a.b=c` overrides and flags (dotted key to value); later ones win."""
        layers = cls({}, {}, {}, " + ".join(document.where for document in documents) or "flags")
        for document in documents:
            _merge_into(layers.values, document.values, layers.sources, document.where, ())
            layers.lines.update(document.lines)
        for name, text in _environment_settings():
            layers._set(name, _flow_value(text, f"{ENVIRONMENT_PREFIX}*"), "environment")
        for override in overrides:
            key, text = _split_override(override)
            layers._set(key, _flow_value(text, "--set"), "--set")
        for key, value in (flags or {}).items():
            if value is not None:
                layers._set(key, value, "flag")
        return layers

    def _set(self, key: str, value: Any, source: str) -> None:
        """Set one dotted key. Raises UsageError (2) where a part of it is a value, not a section."""
        path = tuple(key.split("."))
        _assign(self.values, path, value)
        _note_source(self.sources, path, source)
        for inner in [line for line in self.lines if line == key or line.startswith(f"{key}.")]:
            del self.lines[inner]


def _environment_settings() -> list[tuple[str, str]]:
    """`FACTORY_MODEL__MAX_DEPTH=3` sets `model.max_depth`: two underscores stand for the dot.

    A name that is not all capitals is taken as it is, for keys that hold one: `FACTORY_model__C=0.5`.
    """
    reserved = {f"{ENVIRONMENT_PREFIX}{name}" for name in ("TOKEN", "DEBUG", "CHECKPOINTS", "CACHE")}
    return [
        (_environment_key(name.removeprefix(ENVIRONMENT_PREFIX)), value)
        for name, value in sorted(os.environ.items())
        if name.startswith(ENVIRONMENT_PREFIX) and name not in reserved
    ]


def _environment_key(name: str) -> str:
    return (name.lower() if name.isupper() else name).replace("__", ".")


def _merge_into(
    target: dict[str, Any], extra: Mapping[str, Any], sources: dict[str, str], source: str, path: tuple[str, ...]
) -> None:
    for key, value in extra.items():
        here = (*path, str(key))
        _note_source(sources, here, source)
        if not isinstance(value, dict):
            target[key] = value
            continue
        if not isinstance(target.get(key), dict):
            target[key] = {}
        _merge_into(target[key], value, sources, source, here)


def _note_source(sources: dict[str, str], path: tuple[str, ...], source: str) -> None:
    for depth in range(1, len(path) + 1):
        sources[".".join(path[:depth])] = source


def _split_override(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise UsageError(
            f"--set takes key=value, got {text!r}.", where="--set", help="for example: --set model.max_depth=4"
        )
    return key.strip(), value.strip()


def _flow_value(text: str, where: str) -> Any:
    is_flow = text.startswith(("[", "{"))
    return parse_yaml(f"value: {text}", where=where).values["value"] if is_flow else scalar(text)


def _assign(values: dict[Any, Any], path: tuple[str, ...], value: Any) -> None:
    for part in path[:-1]:
        inner = values.setdefault(_same_key(values, part), {})
        if not isinstance(inner, dict):
            raise UsageError(
                f"{'.'.join(path)}: {part!r} is a value, not a section.", where="--set", help="check the key"
            )
        values = inner
    values[_same_key(values, path[-1])] = value


def _same_key(values: dict[Any, Any], part: str) -> Any:
    """The key that is there already: a file says `20:`, the dotted `barriers.20` means the same one."""
    return next((key for key in values if str(key) == part), part)
