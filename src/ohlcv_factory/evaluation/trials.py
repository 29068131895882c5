"""How many configurations stand behind a score, and what the best of as many without any skill would show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from ohlcv_factory.evaluation.sharpe import (
    SharpeMoments,
    deflated_sharpe_ratio,
    deflated_track_record,
    expected_maximum_sharpe,
)

PRIOR_TRIALS = 10
"""How many known trials the spread of trials without skill weighs as much as."""


@dataclass(frozen=True)
class Trials:
    """What was tried on the data of a score, the scored configuration among it."""

    count: int = 1
    known: int = 0
    """Those whose Sharpe ratio is known."""
    spread: float | None = None
    """Sample variance of the known ratios in units of chance: 1 is that of models without skill; None under two."""

    @classmethod
    def of(cls, count: int, sharpes: Sequence[float]) -> Self:
        """From the number of trials and the known ratios, each times the root of its sessions less 1 (`Ledger.sharpes`).

        What is known was tried, so it counts at least.
        """
        known = len(sharpes)
        return cls(max(count, known, 1), known, float(np.var(sharpes, ddof=1)) if known > 1 else None)

    @classmethod
    def stored(cls, block: Mapping[str, Any]) -> Self:
        """From the `trials` block of an evaluation."""
        return cls(block["count"], block["known"], block["spread"])

    def variance(self, sessions: int) -> float:
        """The variance of the trials' ratios per session, on at least 2 sessions: known ones, pooled with a guess.

        Of independent models without skill the ratios of S sessions scatter with variance 1 / (S - 1) (Lo 2002). This
        guess weighs as much as PRIOR_TRIALS known trials: alone where one or none is known, and little beside hundreds.
        It keeps a few configurations that happen to agree from passing as a single one.
        """
        seen = max(self.known - 1, 0)
        return (PRIOR_TRIALS + seen * (self.spread or 0.0)) / (PRIOR_TRIALS + seen) / (sessions - 1)


def trials_block(trials: Trials, trading: Mapping[str, Any]) -> dict[str, Any]:
    """What the trials make of a trading block, JSON-ready; None where its Sharpe ratio has no moments.

    `expected_maximum_sharpe` is annualised like `sharpe_ratio`, `deflated_track_record` is in sessions.
    """
    moments = moments_of(trading)
    numbers: dict[str, float | None] = dict.fromkeys(
        ("expected_maximum_sharpe", "deflated_sharpe_ratio", "deflated_track_record")
    )
    if moments is not None:
        variance = trials.variance(moments.count)
        expected = expected_maximum_sharpe(trials.count, variance)
        numbers = {
            "expected_maximum_sharpe": float(expected * np.sqrt(trading["sessions_per_year"])),
            "deflated_sharpe_ratio": deflated_sharpe_ratio(moments, trials.count, variance),
            "deflated_track_record": deflated_track_record(moments, trials.count, variance),
        }
    return {**asdict(trials), **numbers}


def moments_of(trading: Mapping[str, Any]) -> SharpeMoments | None:
    """The moments behind a trading block; None where they are undefined, or the block is of an earlier version."""
    ratio, skewness = session_ratio(trading), trading.get("skewness")
    if ratio is None or skewness is None:
        return None
    return SharpeMoments(ratio, skewness, trading["kurtosis"], trading["sessions"])


def scaled_ratio(trading: Mapping[str, Any]) -> float | None:
    """The Sharpe ratio of a trading block in units of its chance error, as `Ledger.sharpes` has it."""
    ratio = session_ratio(trading)
    return None if ratio is None else float(ratio * np.sqrt(trading["sessions"] - 1))


def session_ratio(trading: Mapping[str, Any]) -> float | None:
    """The Sharpe ratio of a trading block per session, over the population's deviation; None where it has none."""
    ratio, sessions = trading["sharpe_ratio"], trading["sessions"]
    if ratio is None:
        return None
    return float(ratio / np.sqrt(trading["sessions_per_year"]) * np.sqrt(sessions / (sessions - 1)))
