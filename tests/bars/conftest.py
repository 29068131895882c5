"""Three bars of five minutes as a file, and the ways to have variants of it read or refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from ohlcv_factory.bars.load import BarFile, ReadOptions, read_bars
from ohlcv_factory.errors import DataError, FactoryError

HEADER = "timestamp,open,high,low,close,volume\n"
GOOD = HEADER + (
    "2024-01-02T00:00:00Z,1.0,1.5,0.5,1.25,10\n"
    "2024-01-02T00:05:00Z,1.25,2.0,1.0,1.75,20\n"
    "2024-01-02T00:10:00Z,1.75,2.5,1.5,2.0,30\n"
)


@pytest.fixture(scope="session")
def good() -> str:
    """The file: three bars from 2024-01-02 00:00 UTC."""
    return GOOD


@pytest.fixture(scope="session")
def now() -> Callable[[], datetime]:
    """A clock that stands at the first of February 2024."""
    return lambda: datetime(2024, 2, 1, tzinfo=UTC)


@pytest.fixture
def read(tmp_path: Path, now: Callable[[], datetime]) -> Callable[..., BarFile]:
    """`read(content, name, **options)`: what `read_bars` makes of a file with that content."""

    def read_content(content: str | bytes, name: str = "BTC_5min.csv", **options: object) -> BarFile:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_bars(path, ReadOptions(**options), clock=now)

    return read_content


@pytest.fixture
def refusal(read: Callable[..., BarFile]) -> Callable[..., FactoryError]:
    """`refusal(content, **options)`: the DataError (65) that the file ends in, which must offer a way out."""

    def refuse(content: str | bytes, **options: object) -> FactoryError:
        with pytest.raises(DataError) as caught:
            read(content, **options)
        assert caught.value.exit_code == 65
        assert caught.value.help
        return caught.value

    return refuse


@pytest.fixture(scope="session")
def timed() -> Callable[..., str]:
    """`timed(*times)`: a file of bars that differ only in their time and close."""
    return lambda *times: HEADER + "".join(f"{time},1,2,1,1.{place}5,5\n" for place, time in enumerate(times))


@pytest.fixture(scope="session")
def typed() -> pl.DataFrame:
    """Two bars of five minutes with typed times, from 2024-01-02 00:00 UTC."""
    times = pl.Series([1_704_153_600_000_000_000, 1_704_153_900_000_000_000]).cast(pl.Datetime("ns", "UTC"))
    prices = {"open": [1.0, 1.0], "high": [2.0, 2.0], "low": [1.0, 1.0], "close": [1.0, 2.0], "volume": [1, 2]}
    return pl.DataFrame({"timestamp": times, **prices})
