"""Feature sets: which columns a model reads, as data (`feature_sets.yaml`, or the user's own YAML).

A rule is a column name (`rsi_14`), a pattern with stars (`return_*`), a category (`category:momentum`) or, in a set of
one's own, a whole other set (`set:boosting_optimal`). A set takes the columns of its `include` rules that no `exclude`
rule names, in the catalogue's order. Columns of plugins are found by one's own sets only.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from pathlib import Path

from ohlcv_factory.config import Document, Settings, parse_yaml, read_yaml, setting
from ohlcv_factory.errors import UsageError, unknown_name
from ohlcv_factory.features.catalogue import builtin_features
from ohlcv_factory.features.feature import Feature
from ohlcv_factory.features.plugins import user_features
from ohlcv_factory.storage.digests import value_digest

SECTION = "feature_sets"
CATEGORY_RULE = "category:"
SET_RULE = "set:"


class SetRules(Settings):
    """A choice of columns, as a user's YAML declares it."""

    include: tuple[str, ...] = setting(..., "Columns, patterns with stars, category:NAME, set:NAME.")
    exclude: tuple[str, ...] = setting((), "Rules whose columns are left out.")
    purpose: str = setting("", "What the set is for.")
    scale_free: bool = setting(False, "Leave out columns that change with the unit of price or volume.")


class FeatureSet(SetRules):
    """A named choice of columns."""

    name: str
    version: int | None = setting(None, "Grows whenever a built-in set changes; a user's set has its digest only.")
    aliases: tuple[str, ...] = setting((), "Other names of the same set.")

    @property
    def digest(self) -> str:
        """What decides the columns, as a hex SHA-256."""
        return value_digest(self.model_dump(mode="json", include={"include", "exclude", "scale_free"}))

    @property
    def is_builtin(self) -> bool:
        """Whether the factory brings it; such a set holds built-in columns only."""
        return self.version is not None


OwnSets = Mapping[str, SetRules]
"""A user's sets by name."""


class SetsFile(Settings):
    """A file of sets."""

    feature_sets: dict[str, SetRules]


@cache
def builtin_sets() -> dict[str, FeatureSet]:
    """The sets of `feature_sets.yaml`, by name."""
    text = files(__package__).joinpath("feature_sets.yaml").read_text(encoding="utf-8")
    rows = parse_yaml(text, where="feature_sets.yaml").values[SECTION]
    return {name: FeatureSet.parse({**row, "name": name}, where="feature_sets.yaml") for name, row in rows.items()}


def read_sets(path: Path) -> Document:
    """A user's file of sets, as a document with the one section `feature_sets`; the section's line may be left out.

    Raises InputMissingError (66), or UsageError (2) for what is not YAML; the rules are checked with the other settings.
    """
    document = read_yaml(path)
    if SECTION in document.values:
        return document
    lines = {f"{SECTION}.{key}": line for key, line in document.lines.items()}
    return Document({SECTION: document.values}, lines, document.where)


def sets_of(path: Path) -> dict[str, SetRules]:
    """The sets of a user's file, checked. Raises as `read_sets` does, and UsageError (2) with key and line."""
    document = read_sets(path)
    return SetsFile.parse(document.values, where=document.where, lines=document.lines).feature_sets


def feature_set(name: str, own: OwnSets | None = None) -> FeatureSet:
    """The set of that name or alias, built in or the user's. Raises UnknownNameError (2)."""
    offered = all_sets(own)
    by_alias = {alias: chosen for chosen in offered.values() for alias in chosen.aliases}
    chosen = offered.get(name) or by_alias.get(name)
    if chosen is None:
        raise unknown_name("feature set", name, [*offered, *by_alias], see="ohlcv-factory features sets")
    return chosen


def all_sets(own: OwnSets | None = None) -> dict[str, FeatureSet]:
    """Built-in sets, then the user's. Raises UsageError (2) for a user's set with a built-in name."""
    sets = dict(builtin_sets())
    taken = {*sets, *(alias for chosen in sets.values() for alias in chosen.aliases)}
    for name, rules in (own or {}).items():
        if name in taken:
            raise UsageError(f"feature set {name!r} is built in.", where=SECTION, help="give yours another name")
        sets[name] = FeatureSet(name=name, **dict(rules))
    return sets


def resolve(set_name: str, columns: Collection[str], own: OwnSets | None = None) -> tuple[str, ...]:
    """The set's columns among `columns`, those that a dataset carries, in the catalogue's order.

    Columns that the dataset had to leave out are passed over. Raises UnknownNameError (2) for an unknown set, and
    UsageError (2) for a rule that matches nothing in the catalogue or when no column is left.
    """
    chosen = feature_set(set_name, own)
    names = tuple(name for name in select(chosen) if name in columns)
    if not names:
        raise UsageError(
            f"feature set {set_name!r} finds none of its columns among the {len(columns)} at hand.",
            where="tried " + ", ".join(chosen.include),
            help=_nearest_help(chosen.include, sorted(columns)),
        )
    return names


def select(chosen: FeatureSet) -> tuple[str, ...]:
    """Every column of the catalogue that the set asks for. Raises UsageError (2) for a rule that matches nothing."""
    return _select(chosen, () if chosen.is_builtin else user_features())


@cache
def _select(chosen: FeatureSet, own: tuple[Feature, ...]) -> tuple[str, ...]:
    offered = (*builtin_features(), *own)
    included, excluded = (_matched(chosen, rules, offered) for rules in (chosen.include, chosen.exclude))
    wanted = [feature for feature in offered if feature.name in included - excluded]
    return tuple(feature.name for feature in wanted if feature.scale_free or not chosen.scale_free)


def _matched(chosen: FeatureSet, rules: Sequence[str], offered: Sequence[Feature]) -> set[str]:
    found: set[str] = set()
    for rule in rules:
        names = _matches(rule, offered)
        if not names:
            raise UsageError(
                f"rule {rule!r} matches no feature.",
                where=f"feature set {chosen.name}",
                help=_rule_help(rule, offered),
            )
        found |= names
    return found


def _matches(rule: str, offered: Sequence[Feature]) -> set[str]:
    if rule.startswith(SET_RULE):
        return set(select(feature_set(rule.removeprefix(SET_RULE))))
    if rule.startswith(CATEGORY_RULE):
        category = rule.removeprefix(CATEGORY_RULE)
        return {feature.name for feature in offered if feature.category == category}
    if "*" in rule:
        return {feature.name for feature in offered if fnmatchcase(feature.name, rule)}
    return {feature.name for feature in offered if feature.name == rule}


def _rule_help(rule: str, offered: Sequence[Feature]) -> str:
    if not rule.startswith(CATEGORY_RULE):
        return _nearest_help([rule], [feature.name for feature in offered])
    return "categories: " + ", ".join(dict.fromkeys(feature.category for feature in offered))


def _nearest_help(rules: Sequence[str], offered: Sequence[str]) -> str:
    close = [name for rule in rules for name in difflib.get_close_matches(rule.strip("*_"), offered, n=3, cutoff=0.5)]
    return "nearest: " + ", ".join(dict.fromkeys(close)) if close else "see `ohlcv-factory features list`"
