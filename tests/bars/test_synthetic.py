from __future__ import annotations

import numpy as np
import pytest

from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.errors import UsageError


def volume_return_correlation(beta: float) -> float:
    """Correlation of the log volume of bar t with the return of bar t + 1."""
    bars = random_walk(20_000, seed=5, beta=beta)
    log_return = np.diff(np.log(bars.close))
    return float(np.corrcoef(np.log(bars.volume)[:-1], log_return)[0, 1])


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not() -> None:
    first, second, other = random_walk(500, 1), random_walk(500, 1), random_walk(500, 2)
    for name in ("time_ns", "open", "high", "low", "close", "volume"):
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes()
    assert first.close.tobytes() != other.close.tobytes()


def test_bars_are_consistent_and_on_a_grid_without_gaps() -> None:
    bars = random_walk(5_000, 1, bar_seconds=60)
    assert bars.time_ns[0] == np.datetime64("2024-01-01", "ns").astype(np.int64)
    assert np.unique(np.diff(bars.time_ns)).tolist() == [60_000_000_000]
    assert (bars.high >= np.maximum(bars.open, bars.close)).all()
    assert (bars.low <= np.minimum(bars.open, bars.close)).all()
    assert (bars.open[1:] == bars.close[:-1]).all()
    assert (bars.low > 0).all()
    assert (bars.volume > 0).all()


def test_volatility_is_that_of_a_bar_over_a_whole_day() -> None:
    bars = random_walk(288 * 100, 1, volatility=1e-3)
    assert np.std(np.diff(np.log(bars.close))) == pytest.approx(1e-3, rel=0.02)


def test_volatility_swings_with_the_time_of_day() -> None:
    log_return = np.log(random_walk(288 * 100, 1).close / random_walk(288 * 100, 1).open).reshape(100, 24, 12)
    by_hour = log_return.std(axis=(0, 2))
    assert by_hour[14] / by_hour[2] == pytest.approx(3.0, rel=0.1)


def test_the_planted_signal_is_seen_in_volume_and_only_when_planted() -> None:
    # the signal is 0.3 of sqrt(0.3**2 + 0.5**2) of the log volume, so the correlation is 0.2 * 0.514 / sqrt(1.04)
    assert volume_return_correlation(beta=0.2) == pytest.approx(0.101, abs=0.02)
    assert volume_return_correlation(beta=0.0) == pytest.approx(0.0, abs=0.02)


def test_a_synthetic_symbol_says_so() -> None:
    assert random_walk(3, 1, symbol="SYNTH2").symbol == "SYNTH2"
    with pytest.raises(UsageError, match="must begin with SYNTH, got 'EURUSD'"):
        random_walk(3, 1, symbol="EURUSD")


@pytest.mark.parametrize("wrong", [{"n": 0}, {"volatility": 0.0}, {"half_life": -1.0}, {"volatility": float("nan")}])
def test_impossible_numbers_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=f"{next(iter(wrong))} must be above 0"):
        random_walk(**{"n": 10, "seed": 1, **wrong})  # type: ignore[arg-type]
