"""How often was the test part looked at? The ledger says it, and what lies in run folders must not say more."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ohlcv_factory.errors import FactoryError
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.storage.ledger import FILE_NAME, Ledger

TEST = "test looks"
MOST_LOOKS = 1
"""The first look is what a test part is for; whoever looks again begins to choose by it."""


@dataclass(frozen=True)
class PartLooks:
    """Looks at one test part."""

    counted: int
    """Entries of the ledger, of all runs on the same data."""
    found: int
    """Evaluations of the test part that lie in run folders."""

    @property
    def unentered(self) -> int:
        """Looks that are in no ledger: it was removed, or the evaluation was made past it."""
        return max(0, self.found - self.counted)

    @property
    def total(self) -> int:
        """All that is known of."""
        return max(self.counted, self.found)


def looks_at(experiments: Path, fingerprint: str) -> PartLooks | None:
    """Looks at the test part of the data of that fingerprint, in an experiments folder; None where nobody kept count.

    Raises what reading the ledger does.
    """
    found = sum(_evaluations(run, fingerprint) for run in _runs(experiments))
    if not (experiments / FILE_NAME).is_file():
        return PartLooks(0, found) if found else None
    return PartLooks(Ledger.in_folder(experiments).count("test_look", data_digest=fingerprint), found)


def _runs(experiments: Path) -> list[Path]:
    """Finished runs below an experiments folder."""
    return [manifest.parent for pattern in ("*", "*/*") for manifest in experiments.glob(f"{pattern}/manifest.json")]


def _evaluations(run: Path, fingerprint: str) -> int:
    """Addenda of a run on that data that scored the test part."""
    if _read(run / "manifest.json").get("data_fingerprint") != fingerprint:
        return 0
    return sum(_read(each).get("part") == "test" for each in run.glob("addenda/*/manifest.json"))


def _read(path: Path) -> dict[str, Any]:
    """A manifest; an empty one where it cannot be read."""
    try:
        found = read_json(path)
    except FactoryError:
        return {}
    return found if isinstance(found, dict) else {}
