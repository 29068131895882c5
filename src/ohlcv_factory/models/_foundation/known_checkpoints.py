"""What is known of public checkpoints by their names: licence, and the last day that their data can come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class KnownCheckpoint:
    """Facts that its authors published. Where they name no end of the data, the day of the release bounds it."""

    licence: str
    data_until: str
    source: str


_BOLT = KnownCheckpoint(
    "Apache-2.0",
    "2024-11-26",
    "released 26 November 2024, pypi.org/project/chronos-forecasting; no earlier end is stated",
)
_CHRONOS_2 = KnownCheckpoint(
    "Apache-2.0", "2025-10-20", "released 20 October 2025, arXiv:2510.15821; no earlier end is stated"
)
_TIMESFM = KnownCheckpoint(
    "Apache-2.0",
    "2025-09-15",
    "released 15 September 2025, github.com/google-research/timesfm; no earlier end is stated",
)
_KRONOS = KnownCheckpoint(
    "MIT",
    "2024-05-31",
    "training until February, validation until May 2024: its authors, github.com/shiyu-coder/Kronos #204",
)
KNOWN: Mapping[str, KnownCheckpoint] = {
    "amazon/chronos-bolt-tiny": _BOLT,
    "amazon/chronos-bolt-mini": _BOLT,
    "amazon/chronos-bolt-small": _BOLT,
    "amazon/chronos-bolt-base": _BOLT,
    "amazon/chronos-2": _CHRONOS_2,
    "google/timesfm-2.5-200m-transformers": _TIMESFM,
    "NeoQuasar/Kronos-mini": _KRONOS,
    "NeoQuasar/Kronos-small": _KRONOS,
    "NeoQuasar/Kronos-base": _KRONOS,
    "NeoQuasar/Kronos-Tokenizer-2k": _KRONOS,
    "NeoQuasar/Kronos-Tokenizer-base": _KRONOS,
}


def known_checkpoint(name: str) -> KnownCheckpoint | None:
    """Facts by the name on the hub, or by its last part: that is what a copied folder is called."""
    last = name.rpartition("/")[2].lower()
    return next((facts for known, facts in KNOWN.items() if last == known.rpartition("/")[2].lower()), None)
