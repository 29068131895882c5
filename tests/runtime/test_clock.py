"""Times are written in UTC, to the second that they lie in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from ohlcv_factory.runtime.clock import precise_utc_text, system_clock, time_text, utc_text


def test_a_moment_in_another_zone_is_written_in_utc() -> None:
    moment = datetime(2026, 11, 23, 10, 30, tzinfo=timezone(timedelta(hours=2)))
    assert utc_text(moment) == "2026-11-23T08:30:00Z"


def test_a_precise_moment_keeps_its_microseconds_so_that_texts_sort_like_times() -> None:
    moment = datetime(2026, 11, 23, 8, 30, 0, 7, tzinfo=UTC)
    assert precise_utc_text(moment) == "2026-11-23T08:30:00.000007Z"


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_704_153_600_000_000_000, "2024-01-02T00:00:00Z"),
        (1_704_153_599_999_999_999, "2024-01-01T23:59:59Z"),
        (-1, "1969-12-31T23:59:59Z"),
        (2**63 - 1, "2262-04-11T23:47:16Z"),
    ],
)
def test_nanoseconds_are_cut_to_their_second(time_ns: int, text: str) -> None:
    assert time_text(time_ns) == text


def test_the_system_clock_is_aware_and_in_utc() -> None:
    before = datetime.now(UTC)
    assert before <= system_clock() <= datetime.now(UTC)
    assert system_clock().tzinfo is UTC
