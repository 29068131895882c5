"""Bar sizes are read as people write them, and what may mean two things is refused."""

from __future__ import annotations

import pytest

from ohlcv_factory.bars.sizes import bar_seconds, size_text
from ohlcv_factory.errors import UsageError


@pytest.mark.parametrize(("text", "seconds"), [("1s", 1), ("5min", 300), ("90min", 5400), ("1h", 3600), ("1d", 86_400)])
def test_bar_sizes_are_read_and_printed(text: str, seconds: int) -> None:
    assert bar_seconds(text) == seconds
    assert size_text(seconds) == text


def test_bar_sizes_are_printed_in_their_largest_whole_unit() -> None:
    assert [size_text(bar_seconds(text)) for text in ("60min", "24h", " 60S ", "48H")] == ["1h", "1d", "1min", "2d"]


@pytest.mark.parametrize("text", ["", "5", "min", "0min", "-5min", "1.5h", "5m", "1M", "5 min", "1w", "٣min"])
def test_bar_size_nonsense_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="a bar size is a whole number"):
        bar_seconds(text)


def test_a_bar_lasts_at_least_a_second() -> None:
    with pytest.raises(UsageError, match="at least 1 second, got 0"):
        size_text(0)
