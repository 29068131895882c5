"""The contract of a feature, for its author: `check_feature(feature, bars, calendar)`.

Raises AssertionError with the feature, the bar and the size of the difference when the feature reads later bars, is not
finite after its look-back, looks further back than declared, or fails on a flat price or without volume. The tests are
those of `ohlcv-factory audit features`.
"""

from __future__ import annotations

from ohlcv_factory.audit.causality import audit_columns, bars_needed
from ohlcv_factory.audit.corruption import CORRUPTIONS, cut_points
from ohlcv_factory.audit.violation import Violation
from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.bars.sessions import SessionCalendar
from ohlcv_factory.features.feature import Feature

__all__ = ["CORRUPTIONS", "Violation", "audit_columns", "check_feature", "cut_points"]


def check_feature(feature: Feature, bars: Bars, calendar: SessionCalendar) -> None:
    """Run every test. `bars` need the look-back and 400 bars more, and moving prices with volume."""
    needed = bars_needed(feature, bars.bar_seconds)
    assert len(bars) >= needed, f"{feature.name}: the check needs {needed} bars, got {len(bars)}"
    for violation in audit_columns([feature], bars, calendar):
        raise AssertionError(violation.sentence)
