"""Packages that extras bring: found without importing them, imported with an error that says what to install."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from functools import lru_cache
from types import ModuleType
from typing import Any

from ohlcv_factory.errors import MissingExtraError

DISTRIBUTION = "ohlcv-model-factory"
TOOL_EXTRAS = frozenset({"dev", "all", "demo"})
BESIDE = ("llvmlite", "exchange-calendars", "threadpoolctl", "xgboost", "xgboost-cpu")


def is_installed(module: str) -> bool:
    """Whether a module can be found; nothing is imported."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def import_extra(module: str, extra: str) -> ModuleType:
    """Import a package that the extra `extra` installs.

    Raises MissingExtraError (69) when it is absent, cannot be loaded, or has a version outside the declared range.
    """
    advice = f"pip install '{DISTRIBUTION}[{extra}]'"
    if not is_installed(module):
        raise MissingExtraError(f"{module} is not installed.", where=module, help=advice)
    refuse_version(module, extra)
    try:
        return importlib.import_module(module)
    except (ImportError, OSError) as error:
        raise MissingExtraError(
            f"{module} {_version(module) or '(version unknown)'} is installed but cannot be loaded: {error}.",
            where=module,
            help=f"install it again: {advice} --force-reinstall",
        ) from None


def refuse_version(module: str, extra: str) -> None:
    """Raise MissingExtraError (69) when the installed version lies outside the range that the extra declares."""
    wanted, version = wanted_range(module, extra), _version(module)
    if wanted is None or version is None:
        return
    from packaging.specifiers import SpecifierSet

    if not SpecifierSet(wanted).contains(version, prereleases=True):
        raise MissingExtraError(
            f"{module} {version} is installed, {wanted} is wanted.",
            where=module,
            help=f"pip install '{DISTRIBUTION}[{extra}]' --upgrade",
        )


def wanted_range(module: str, extra: str) -> str | None:
    """The version range that the extra declares for a module's distribution, or None where it names none."""
    try:
        lines = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    for requirement in _requirements(tuple(lines)):
        named = requirement.name.replace("-", "_").removesuffix("_cpu") == module
        if named and (requirement.marker is None or requirement.marker.evaluate({"extra": extra})):
            return str(requirement.specifier) or None
    return None


def library_versions() -> dict[str, str]:
    """The version of every installed library that this package or an extra of it asks for, by name; tools left out.

    Beside them the compiler behind numba and the calendars behind pandas_market_calendars: they decide numbers, too.
    """
    try:
        asked = _requirements(tuple(importlib.metadata.requires(DISTRIBUTION) or ()))
    except importlib.metadata.PackageNotFoundError:
        asked = ()
    libraries = {each.name for each in asked if not (each.marker and _is_for(each.marker, TOOL_EXTRAS))}
    return dict(sorted(filter(None, map(_named_version, libraries | set(BESIDE))), key=lambda pair: pair[0].lower()))


def _named_version(distribution: str) -> tuple[str, str] | None:
    """Name as the distribution itself writes it, and version; None where it is not installed."""
    try:
        facts = importlib.metadata.metadata(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
    return facts["Name"], facts["Version"]


def _is_for(marker: object, extras: frozenset[str]) -> bool:
    """Whether a marker asks for one of these extras."""
    return any(f'extra == "{extra}"' in str(marker) for extra in extras)


@lru_cache(maxsize=1)
def _requirements(lines: tuple[str, ...]) -> tuple[Any, ...]:
    """Parsed once: it takes longer than everything else that is asked of a package."""
    from packaging.requirements import Requirement

    return tuple(map(Requirement, lines))


def _version(module: str) -> str | None:
    named = package_versions((module, f"{module}-cpu"))  # first by name: the table of all modules takes 0.3 s to make
    if named:
        return next(iter(named.values()))
    for distribution in importlib.metadata.packages_distributions().get(module, ()):
        return importlib.metadata.version(distribution)
    return None


def package_versions(names: tuple[str, ...]) -> dict[str, str]:
    """Installed versions of distributions, those absent left out."""
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
