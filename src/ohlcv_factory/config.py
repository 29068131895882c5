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

from ohlcv_factory.errors import InputMissingError, UsageError, nearest

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
    bounds = {name: value for name, value in (("ge", ge), ("gt", gt), ("le", le), ("lt", lt)) if value is not None}
    return Field(default, description=help or None, json_schema_extra=notes, **bounds)  # type: ignore[arg-type]


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
    def parse(cls, values: Mapping[str, Any], *, where: str = "", lines: Mapping[str, int] | None = None) -> Self:
        """Settings from plain values; every broken rule is named at once.

        `where` is the file or flag that the values come from, `lines` the line of each dotted key in that file.
        Raises UsageError (exit 2).
        """
        try:
            return cls.model_validate(_tuples(values))
        except ValidationError as error:
            raise settings_error(cls, error.errors(include_url=False), where, lines or {}) from None

    def plain(self) -> dict[str, Any]:
        """JSON- and YAML-ready values, in the order of declaration."""
        return self.model_dump(mode="json")


def settings_error(
    cls: type[BaseModel], problems: list[ErrorDetails], where: str, lines: Mapping[str, int]
) -> UsageError:
    """One error that lists each broken rule as `key: rule, got value (file:line)`."""
    sentences = [_problem_sentence(cls, problem, where, lines) for problem in problems]
    return UsageError("; ".join(sentences), where=where, help="see `ohlcv-factory config show` for keys and ranges")


def _problem_sentence(cls: type[BaseModel], problem: ErrorDetails, where: str, lines: Mapping[str, int]) -> str:
    path = ".".join(str(part) for part in problem["loc"])
    place = f" ({where}:{lines[path]})" if path in lines else ""
    if problem["type"] == "extra_forbidden":
        offered = _fields_at(cls, problem["loc"][:-1])
        close = nearest(str(problem["loc"][-1]), offered)
        return f"{path}: unknown key{f'; did you mean {close!r}?' if close else ''}{place}"
    if problem["type"] == "value_error":
        message = problem["msg"].removeprefix("Value error, ")
        return (f"{path}: " if path else "") + message + place
    return f"{path}: {problem['msg'][0].lower()}{problem['msg'][1:]}, got {problem['input']!r}{place}"


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
    """Read one YAML mapping. Raises InputMissingError (66) or UsageError (2) with file and line."""
    path = Path(path)
    if not path.is_file():
        raise InputMissingError(f"{path} does not exist or is not a file.", where=str(path), help="check the path")
    if path.stat().st_size > MAX_YAML_BYTES:
        raise UsageError(f"{path} is larger than 1 MiB.", where=str(path), help="a recipe names only what differs")
    return parse_yaml(path.read_text(encoding="utf-8"), where=str(path))


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
    lines: dict[str, int] = {}
    values = {} if node is None else _build(node, (), lines, where)
    if not isinstance(values, dict):
        raise UsageError("the file must hold keys and values.", where=where, help="for example: model_name: xgboost")
    return Document(values, lines, where)


class _CoreLoader(yaml.SafeLoader):
    """SafeLoader without YAML 1.1's surprises; aliases are refused while composing."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            raise yaml.composer.ComposerError(None, None, "aliases are not allowed", event.start_mark)
        return super().compose_node(parent, index)


_CORE_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp", "merge", "value")
)
_CORE_SCALARS = (
    (re.compile(r"^(?:~|null|Null|NULL|)$"), lambda text: None),
    (re.compile(r"^(?:true|True|TRUE)$"), lambda text: True),
    (re.compile(r"^(?:false|False|FALSE)$"), lambda text: False),
    (re.compile(r"^[-+]?[0-9]+$"), int),
    (re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$"), float),
)


def scalar(text: str) -> Any:
    """The value of a plain YAML 1.2 core scalar; also how `--set key=value` reads its value."""
    for pattern, convert in _CORE_SCALARS:
        if pattern.match(text):
            return convert(text)
    return text


def _build(node: yaml.Node, path: tuple[str, ...], lines: dict[str, int], where: str) -> Any:
    if node.tag and node.tag not in _CORE_TAGS:
        raise UsageError(
            f"tag {node.tag!r} is not allowed.", where=f"{where}:{node.start_mark.line + 1}", help="remove it"
        )
    if isinstance(node, yaml.MappingNode):
        return _build_mapping(node, path, lines, where)
    if isinstance(node, yaml.SequenceNode):
        return [_build(inner, path, lines, where) for inner in node.value]
    return scalar(node.value) if node.style is None else node.value


def _build_mapping(node: yaml.MappingNode, path: tuple[str, ...], lines: dict[str, int], where: str) -> dict[Any, Any]:
    values: dict[Any, Any] = {}
    seen: dict[Any, int] = {}
    for key_node, value_node in node.value:
        key, line = _build(key_node, path, lines, where), key_node.start_mark.line + 1
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
    """SafeDumper that never writes an alias, since our reader refuses them."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


@dataclass(frozen=True)
class Layers:
    """Values merged in the order defaults < recipe < file < FACTORY_* environment < --set, with the source of each key."""

    values: dict[str, Any]
    sources: dict[str, str]
    lines: dict[str, int]
    where: str

    @classmethod
    def merge(
        cls, documents: list[Document], overrides: Sequence[str] = (), flags: Mapping[str, Any] | None = None
    ) -> Layers:
        """Merge YAML documents, the environment, `a.b=c` overrides and flags (dotted key to value); later ones win."""
        values: dict[str, Any] = {}
        sources: dict[str, str] = {}
        lines: dict[str, int] = {}
        for document in documents:
            _merge_into(values, document.values, sources, document.where, ())
            lines.update(document.lines)
        for name, text in _environment_settings():
            _assign(values, tuple(name.split(".")), scalar(text))
            sources[name] = "environment"
        for override in overrides:
            key, text = _split_override(override)
            _assign(values, tuple(key.split(".")), _flow_value(text))
            sources[key] = "--set"
        for key, value in (flags or {}).items():
            if value is not None:
                _assign(values, tuple(key.split(".")), value)
                sources[key] = "flag"
        return cls(values, sources, lines, " + ".join(document.where for document in documents) or "flags")


def _environment_settings() -> list[tuple[str, str]]:
    """`FACTORY_MODEL__MAX_DEPTH=3` sets `model.max_depth`: two underscores stand for the dot."""
    reserved = {f"{ENVIRONMENT_PREFIX}TOKEN", f"{ENVIRONMENT_PREFIX}DEBUG"}
    return [
        (name.removeprefix(ENVIRONMENT_PREFIX).lower().replace("__", "."), value)
        for name, value in sorted(os.environ.items())
        if name.startswith(ENVIRONMENT_PREFIX) and name not in reserved
    ]


def _merge_into(
    target: dict[str, Any], extra: Mapping[str, Any], sources: dict[str, str], source: str, path: tuple[str, ...]
) -> None:
    for key, value in extra.items():
        here = (*path, str(key))
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            _merge_into(target[key], value, sources, source, here)
        else:
            target[key] = value
            sources[".".join(here)] = source


def _split_override(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise UsageError(
            f"--set takes key=value, got {text!r}.", where="--set", help="for example: --set model.max_depth=4"
        )
    return key.strip(), value.strip()


def _flow_value(text: str) -> Any:
    return parse_yaml(f"value: {text}", where="--set").values["value"] if text[:1] in "[{" else scalar(text)


def _assign(values: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for part in path[:-1]:
        inner = values.setdefault(part, {})
        if not isinstance(inner, dict):
            raise UsageError(
                f"{'.'.join(path)}: {part!r} is a value, not a section.", where="--set", help="check the key"
            )
        values = inner
    values[path[-1]] = value
