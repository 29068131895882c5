"""Every error that the factory raises on purpose.

    FactoryError                    what · where · help, an E-code and an exit code
    ├── UsageError (ValueError)           2   a flag, key, name or value that the caller can mend
    │   └── UnknownNameError                  a name that is not offered, with the nearest one
    ├── DataError (ValueError)           65   bars, a dataset or a bundle that cannot be used
    ├── InputMissingError (FileNotFound) 66   a path that does not exist
    ├── MissingExtraError (ImportError)  69   a package of an extra is absent or broken
    ├── DeviceError (RuntimeError)       69   a device that this machine does not have
    ├── ResourceError (MemoryError)      70   the work does not fit into memory
    ├── OutputError (OSError)            73   an output that cannot be created
    ├── StorageError (OSError)           74   reading or writing failed half-way
    ├── LockedError (RuntimeError)       75   somebody else is writing here
    ├── ServiceError (ConnectionError)   75   a server that does not answer
    ├── VerificationError (ValueError)   76   a digest or a self-test does not match
    └── AccessError (PermissionError)    77   not allowed to read or write

The command line renders an error as

    error[E-data]: low, row 2: '0,5' is not a number
      --> bars.csv:2
      help: --decimal ','
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any


class FactoryError(Exception):
    """An error with the rule that was broken, the place, and what to do about it."""

    code = "E-internal"
    exit_code = 70

    def __init__(self, what: str, *, where: str = "", help: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.help = what, where, help

    def __str__(self) -> str:
        lines = [f"error[{self.code}]: {self.what}"]
        if self.where:
            lines.append(f"  --> {self.where}")
        if self.help:
            lines.append(f"  help: {self.help}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, str | int]:
        """The same as one JSON-ready mapping, for `--json`."""
        return {
            "error": self.code,
            "what": self.what,
            "where": self.where,
            "help": self.help,
            "exit_code": self.exit_code,
        }


class UsageError(FactoryError, ValueError):
    """A flag, key, name or value that the caller can mend."""

    code, exit_code = "E-usage", 2


class UnknownNameError(UsageError):
    """A name that is not offered; the help names the nearest one and the place that lists them."""

    code = "E-unknown-name"


class DataError(FactoryError, ValueError):
    """Bars, a dataset or a run that cannot be used as they are."""

    code, exit_code = "E-data", 65


class InputMissingError(FactoryError, FileNotFoundError):
    """A path that does not exist, or is not a file."""

    code, exit_code = "E-input-missing", 66


class MissingExtraError(FactoryError, ImportError):
    """A package that an extra would install is absent or broken."""

    code, exit_code = "E-extra", 69


class DeviceError(FactoryError, RuntimeError):
    """A device that this machine does not have."""

    code, exit_code = "E-device", 69


class ResourceError(FactoryError, MemoryError):
    """The work does not fit into memory."""

    code, exit_code = "E-memory", 70


class OutputError(FactoryError, OSError):
    """An output that cannot be created."""

    code, exit_code = "E-output", 73


class StorageError(FactoryError, OSError):
    """Reading or writing failed half-way."""

    code, exit_code = "E-storage", 74


class LockedError(FactoryError, RuntimeError):
    """Somebody else is writing here."""

    code, exit_code = "E-locked", 75


class ServiceError(FactoryError, ConnectionError):
    """A server that does not answer."""

    code, exit_code = "E-service", 75


class VerificationError(FactoryError, ValueError):
    """A digest or a self-test does not match what was recorded."""

    code, exit_code = "E-verify", 76


class AccessError(FactoryError, PermissionError):
    """Not allowed to read or write."""

    code, exit_code = "E-access", 77


def told_again(values: Mapping[str, Any]) -> FactoryError:
    """The error that `as_dict` told, under its own class: one that another process raised, for instance."""
    kinds = {kind.code: kind for kind in _kinds(FactoryError)}
    kind = kinds.get(str(values["error"]), FactoryError)
    return kind(values["what"], where=values["where"], help=values["help"])


def _kinds(kind: type[FactoryError]) -> Iterator[type[FactoryError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from _kinds(narrower)


class FactoryWarning(UserWarning):
    """Something that works but should be known; the command line prints it as one line."""


def nearest(name: str, offered: Iterable[str]) -> str | None:
    """The offered name that looks most like `name`, or None when nothing is close."""
    found = difflib.get_close_matches(name, list(offered), n=1, cutoff=0.5)
    return found[0] if found else None


def unknown_name(kind: str, name: str, offered: Iterable[str], *, see: str = "", where: str = "") -> UnknownNameError:
    """The error for a name that is not offered: `Unknown model 'lstmm'. Did you mean 'lstm'?`"""
    offered = sorted(offered)
    close = nearest(name, offered)
    what = f"Unknown {kind} {name!r}." + (f" Did you mean {close!r}?" if close else "")
    listing = "offered: " + ", ".join(offered) if offered else f"no {kind} is offered here"
    return UnknownNameError(what, where=where, help=f"See: {see}" if see else listing)
