"""What is said, and kept, about how bars were read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.storage.digests import value_digest


@dataclass(frozen=True)
class SourceFile:
    """One file that bars came from."""

    source: str
    sha256: str | None
    """Of the file's bytes; None where the source is a frame."""
    rows: int
    """Rows in the file."""
    dialect: str | None
    """None where nobody's layout was recognised: columns were found by their names."""


@dataclass(frozen=True)
class ReadAccount:
    """Where bars came from and what was assumed to read them; part of the dataset's manifest."""

    source: str
    """The file, or how many there are with the first and the last of them."""
    sha256: str
    """Of the file's bytes; of the digests of all files where there are several; of times, prices and volumes as read
    where the source is a frame."""
    rows: int
    """Rows in the source; `len(bars)` may be smaller, see the warnings."""
    first: str
    """Open time of the first bar, ISO 8601 UTC."""
    last: str
    assumed: tuple[str, ...]
    warnings: tuple[str, ...]
    files: tuple[SourceFile, ...] = ()
    cleaned: dict[str, int] = field(default_factory=dict)
    """How many rows each rule of `ReadOptions.cleaning` changed or dropped."""

    def plain(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """The account that `plain` wrote."""
        lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        files = tuple(SourceFile(**file) for file in values["files"])
        return cls(**{**values, **lists, "files": files})

    def followed_by(self, later: ReadAccount) -> ReadAccount:
        """The account of these bars and of later ones that continue them."""
        return ReadAccount(
            source=f"{self.source}, then {later.source}",
            sha256=value_digest({"files": [self.sha256, later.sha256]}),
            rows=self.rows + later.rows,
            first=self.first,
            last=later.last,
            assumed=tuple(dict.fromkeys((*self.assumed, *later.assumed))),
            warnings=tuple(dict.fromkeys((*self.warnings, *later.warnings))),
            files=(*self.files, *later.files),
            cleaned={
                rule: self.cleaned.get(rule, 0) + later.cleaned.get(rule, 0)
                for rule in dict.fromkeys((*self.cleaned, *later.cleaned))
            },
        )


@dataclass(frozen=True)
class BarFile:
    """Checked bars with the account of reading them."""

    bars: Bars
    account: ReadAccount
