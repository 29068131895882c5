"""What one check of an audit comes to: a verdict, the size that was measured, and the violations behind it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ohlcv_factory.audit.violation import Violation, largest_of_each

Verdict = Literal["pass", "fail", "skipped"]


@dataclass(frozen=True)
class Outcome:
    """The answer of one check."""

    verdict: Verdict
    size: str
    """What was measured, in words; of a check that was skipped, why."""
    measured: float | None = None
    """The same as one number, in the unit that `size` names."""
    violations: tuple[Violation, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One row of the table: the outcome of a check, with its name and what to do about it."""

    check: str
    outcome: Outcome
    advice: str
    """What to do; empty where there is nothing to do."""

    def plain(self) -> dict[str, Any]:
        """JSON-ready."""
        found = self.outcome
        return {
            "check": self.check,
            "verdict": found.verdict,
            "size": found.size,
            "measured": found.measured,
            "what_to_do": self.advice,
            "violations": [asdict(violation) for violation in found.violations],
        }


def skipped(reason: str) -> Outcome:
    """A check that could not be made, and why."""
    return Outcome("skipped", reason)


def judged(holds: bool, size: str, measured: float, violations: Iterable[Violation] = ()) -> Outcome:
    """A check by one number."""
    return Outcome("pass" if holds else "fail", size, measured, tuple(violations))


def by_violations(found: Iterable[Violation], looked_at: str) -> Outcome:
    """A check that passes without a violation; `looked_at` says what was looked at."""
    violations = tuple(largest_of_each(found))
    if not violations:
        return Outcome("pass", looked_at, 0.0)
    names = list(dict.fromkeys(violation.feature for violation in violations))
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return Outcome("fail", f"{len(violations)} violations ({shown}); {looked_at}", float(len(violations)), violations)
