"""What a run says of weights that were trained elsewhere, and whether they may have seen the bars it is scored on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from ohlcv_factory.errors import FactoryWarning


class PretrainingWarning(FactoryWarning):
    """The scored bars may have been part of a model's pre-training, or nobody says that they were not."""


@dataclass(frozen=True)
class Pretraining:
    """The checkpoint that a model began with."""

    name: str
    """As the hub calls it, or the name of its folder."""
    path: str
    """Where it was read from."""
    digest: str
    """Hex SHA-256 over the files that are loaded."""
    licence: str | None
    """None where it is not known."""
    data_until: str | None
    """The last day, `YYYY-MM-DD`, that its training data can come from; None where nobody says."""
    source: str
    """Who says so."""

    @classmethod
    def from_plain(cls, stored: Mapping[str, Any]) -> Self:
        """Read back what `plain` gave."""
        return cls(**stored)

    def plain(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    def note(self) -> str:
        """Name, digest, licence and cut-off as one note of a run."""
        until = f"data until {self.data_until}" if self.data_until else "end of its data unknown"
        licence = self.licence or "licence unknown"
        return f"pre-trained: {self.name} (sha256 {self.digest[:12]}…), {licence}, {until} ({self.source})"

    def overlap(self, first_ns: int) -> str | None:
        """A sentence where bars from `first_ns` (UTC) on may have been seen in pre-training, None where they cannot."""
        first = np.datetime64(first_ns, "ns").astype("datetime64[D]")
        if self.data_until is None:
            return f"nobody says until when the data of {self.name} reach: pre-training may have seen these bars."
        if first > np.datetime64(self.data_until):
            return None
        return (
            f"the scored bars start on {first}, the data of {self.name} reach until {self.data_until}: "
            "pre-training may have seen these bars."
        )
