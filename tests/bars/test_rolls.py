from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ohlcv_factory.bars.load import read_bars
from ohlcv_factory.bars.rolls import (
    Rolls,
    apply_rolls,
    detect_rolls,
    forward_adjusted,
    forward_adjusted_by_difference,
    looks_back_adjusted,
    roll_account,
    roll_ratios,
    segments,
    unlikely_rolls,
    with_rolls,
)
from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.bars.sessions import session_calendar
from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.errors import UsageError
from ohlcv_factory.runtime.clock import time_text

PRICES = ("open", "high", "low", "close")
FUTURES = session_calendar("cme_equity")
HOUR_NS = 3_600_000_000_000
REAL = Path("/work/shared/data")


def by_hand(*contracts: int) -> Bars:
    """Hourly bars from 2024-01-08 00:00 UTC; bar i opens at 100 + 10 i and closes 5 above."""
    n = len(contracts)
    opens = 100.0 + 10.0 * np.arange(n)
    time_ns = int(np.datetime64("2024-01-08", "ns").astype(np.int64)) + np.arange(n) * HOUR_NS
    names = tuple("HMUZ"[: max(contracts) + 1])
    code = np.array(contracts, np.int32)
    return Bars("ES", time_ns, opens, opens + 6, opens - 1, opens + 5, np.full(n, 7.0), 3600, code, names)


def futures(sessions: int = 60, rolls: tuple[int, ...] = (20, 41), step: float = 0.004) -> tuple[Bars, list[int]]:
    """Bars of 15 minutes in Chicago sessions, each break a small jump, a roll's jump `step` at some sessions."""
    first, last = int(np.datetime64("2024-01-08", "D").astype(int)), 10**6
    schedule = FUTURES.schedule(first, min(last, first + sessions * 2))
    time_ns = np.concatenate(
        [np.arange(a, b, HOUR_NS // 4) for a, b in zip(schedule.open_ns[:sessions], schedule.close_ns, strict=False)]
    )
    _, starts = FUTURES.session_runs(time_ns)
    generator = np.random.default_rng(3)
    jumps = np.zeros(len(time_ns))
    jumps[starts[1:]] = 0.0005 * generator.standard_normal(len(starts) - 1)
    jumps[starts[list(rolls)]] += step
    inside = 0.0004 * generator.standard_normal(len(time_ns))
    close = 4000.0 * np.exp(np.cumsum(jumps + inside))
    opens = close * np.exp(-inside)
    bars = Bars(
        "ES", time_ns, opens, np.maximum(opens, close), np.minimum(opens, close), close, np.ones(len(close)), 900
    )
    return bars, starts[list(rolls)].tolist()


def test_forward_adjustment_keeps_the_first_contract_and_joins_the_second_to_it() -> None:
    # closes 105 115 | opens 120 130: the second contract is worth 115 / 120 of what it quotes
    adjusted = forward_adjusted(by_hand(0, 0, 1, 1))
    assert adjusted.close[:2].tolist() == [105.0, 115.0]
    assert adjusted.open[2] == pytest.approx(115.0)
    assert adjusted.close[3] == pytest.approx(135.0 * 115 / 120)
    assert adjusted.volume.tolist() == [7.0] * 4
    assert (adjusted.contract, adjusted.contract_names) == (None, ())


def test_returns_inside_a_contract_stay_what_they_were() -> None:
    bars = by_hand(0, 0, 1, 1, 1, 2, 2)
    raw, adjusted = np.diff(np.log(bars.close)), np.diff(np.log(forward_adjusted(bars).close))
    inside = np.delete(np.arange(6), bars.roll_rows - 1)
    np.testing.assert_allclose(adjusted[inside], raw[inside], atol=1e-12)


def test_a_ratio_is_measured_where_both_contracts_traded() -> None:
    bars = by_hand(0, 0, 1, 1)
    # the new contract closed at 230 while the old one closed at 115, an hour before the roll
    other = Bars("M", bars.time_ns[:2], *(np.array([210.0, 230.0]),) * 4, np.ones(2), 3600)
    assert roll_ratios(bars).tolist() == [115 / 120]
    assert roll_ratios(bars, {"M": other}).tolist() == [0.5]
    assert roll_account(bars, {"M": other}) == (
        "roll at 2024-01-08T02:00:00Z from H to M: ratio 0.500000, measured on bars of both contracts",
    )
    assert roll_account(bars) == (
        "roll at 2024-01-08T02:00:00Z from H to M: ratio 0.958333, last close before over first open after: no move "
        "assumed",
    )


def test_an_overlap_that_never_meets_the_old_contract_measures_nothing() -> None:
    bars = by_hand(0, 0, 1, 1)
    assert roll_ratios(bars, {"M": bars.slice(2, 4)}).tolist() == [115 / 120]


@pytest.mark.parametrize("adjust", [forward_adjusted, forward_adjusted_by_difference])
def test_a_new_roll_never_changes_the_past(adjust) -> None:
    bars, rows = futures()
    bars = with_rolls(bars, [time_text(bars.time_ns[row]) for row in rows])
    whole = adjust(bars)
    for count in (1, rows[0], rows[0] + 1, rows[1] - 1, rows[1] + 1, len(bars) - 1):
        part = adjust(bars.head(count))
        assert all(getattr(part, name).tobytes() == getattr(whole, name)[:count].tobytes() for name in PRICES)
    first = slice(0, rows[0])
    assert all(getattr(whole, name)[first].tobytes() == getattr(bars, name)[first].tobytes() for name in PRICES)


def test_adjustment_by_difference_shifts_prices() -> None:
    assert forward_adjusted_by_difference(by_hand(0, 0, 1, 1)).close.tolist() == [105.0, 115.0, 120.0, 130.0]


def test_bars_without_rolls_keep_their_bits() -> None:
    bars = random_walk(50, 1)
    assert forward_adjusted(bars).close.tobytes() == bars.close.tobytes()
    assert segments(bars) == (slice(0, 50),)
    assert roll_account(bars) == ()


def test_segments_are_the_contracts_in_turn() -> None:
    assert segments(by_hand(0, 0, 1, 1, 1, 2)) == (slice(0, 2), slice(2, 5), slice(5, 6))


def test_steps_at_session_breaks_are_found_and_nothing_else() -> None:
    bars, rows = futures()
    found = detect_rolls(bars, FUTURES)
    assert [candidate.row for candidate in found] == rows
    assert found[0].time_ns == bars.time_ns[rows[0]]
    assert found[0].jump == pytest.approx(0.004, abs=0.0015)
    assert found[0].sigmas > 5
    assert found[0].volume_ratio == 1.0
    assert "robust sigmas" in found[0].why


def test_a_move_inside_a_session_is_no_candidate() -> None:
    bars, _ = futures(rolls=())
    scale = np.where(np.arange(len(bars)) >= 500, 1.05, 1.0)
    moved = replace(bars, **{name: getattr(bars, name) * scale for name in PRICES})
    assert FUTURES.minute_of_session(bars.time_ns[500:501])[0] > 0
    assert detect_rolls(moved, FUTURES) == ()


def test_rolls_that_are_known_are_no_candidates() -> None:
    bars, rows = futures()
    named = with_rolls(bars, [time_text(bars.time_ns[rows[0]])])
    assert [candidate.row for candidate in detect_rolls(named, FUTURES)] == rows[1:]


def test_volume_that_moves_to_the_new_contract_is_told() -> None:
    bars, rows = futures(rolls=(20,))
    volume = np.where(np.arange(len(bars)) >= rows[0], 30.0, 10.0)
    assert detect_rolls(replace(bars, volume=volume), FUTURES)[0].volume_ratio == pytest.approx(3.0)
    assert detect_rolls(replace(bars, volume=np.zeros(len(bars))), FUTURES)[0].volume_ratio is None


def test_few_bars_have_no_candidates() -> None:
    bars, _ = futures()
    assert [detect_rolls(bars.head(count), FUTURES) for count in (0, 1, 2, 50)] == [()] * 4


def test_confirmed_times_set_the_contracts() -> None:
    bars = replace(by_hand(0, 0, 0, 0), contract=None, contract_names=())
    rolled = with_rolls(bars, ["2024-01-08T03:00:00Z", "2024-01-08T03:00:00+02:00"])
    assert rolled.contract is not None
    assert rolled.contract.tolist() == [0, 1, 1, 2]
    assert rolled.contract_names == ("contract 1", "contract 2", "contract 3")
    assert with_rolls(bars, ()) is bars


@pytest.mark.parametrize(
    ("text", "message", "help"),
    [
        ("2024-01-08T01:30:00Z", "begins no bar", "nearest bars: 2024-01-08T01:00:00Z, 2024-01-08T02:00:00Z"),
        ("2024-01-08T00:00:00Z", "is the first bar", "nearest bars: 2024-01-08T00:00:00Z"),
        ("2025-01-01T00:00:00Z", "begins no bar", "nearest bars: 2024-01-08T03:00:00Z"),
        ("2024-01-08T01:00:00", "needs its zone", "the open time of the new contract's first bar"),
        ("yesterday", "is ISO 8601", "the open time of the new contract's first bar"),
    ],
)
def test_a_time_that_begins_no_bar_is_refused_with_its_neighbours(text: str, message: str, help: str) -> None:
    bars = replace(by_hand(0, 0, 0, 0), contract=None, contract_names=())
    with pytest.raises(UsageError, match=message) as caught:
        with_rolls(bars, [text])
    assert caught.value.help == help


def test_times_beside_known_contracts_are_refused() -> None:
    with pytest.raises(UsageError, match="name their contracts already"):
        with_rolls(by_hand(0, 1), ["2024-01-08T01:00:00Z"])


def test_a_confirmed_time_without_a_jump_is_warned_of() -> None:
    bars, rows = futures()
    times = [time_text(bars.time_ns[row]) for row in (rows[0], rows[0] + 1)]
    (warning,) = unlikely_rolls(bars, times, FUTURES)
    assert f"roll at {times[1]}" in warning
    assert "no more than at other session breaks" in warning


@pytest.mark.parametrize("text", ["2024-01-08T01:00:00", "soon"])
def test_settings_refuse_a_time_that_is_no_moment(text: str) -> None:
    assert Rolls().plain() == {"handling": "adjust", "at": [], "detect": False}
    with pytest.raises(UsageError, match="at: a roll's time"):
        Rolls.parse({"at": [text]})


def grown(n: int = 24 * 200, level: float = 4.0, seed: int = 0) -> Bars:
    """A random walk with constant volatility in per cent that drifts to `level` times its first price."""
    walk = random_walk(n, seed, bar_seconds=3600, volatility=2e-3)
    drift = np.exp(np.linspace(0.0, np.log(level), n))
    drift *= np.exp(np.linspace(0.0, -np.log(walk.close[-1] / walk.close[0]), n))
    return replace(walk, **{name: getattr(walk, name) * drift for name in PRICES})


def shifted(bars: Bars, by: float) -> Bars:
    return replace(bars, **{name: getattr(bars, name) + by for name in PRICES})


def in_points(seed: int) -> Bars:
    """Quotes between 95 and 105 with constant volatility, the past shifted down by up to 80: adjusted by difference."""
    flat = grown(level=1.0, seed=seed)
    shift = np.repeat(np.linspace(-80.0, 0.0, 24), len(flat) // 24)
    return replace(flat, **{name: getattr(flat, name) + shift for name in PRICES})


@pytest.mark.parametrize("seed", range(5))
def test_a_past_that_was_shifted_down_looks_adjusted_by_difference(seed: int) -> None:
    why = looks_back_adjusted(in_points(seed))
    assert why is not None
    assert why.startswith("moves are alike in points")


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("level", [1.0, 4.0, 0.25])
def test_an_honest_series_does_not_whatever_its_trend(level: float, seed: int) -> None:
    assert looks_back_adjusted(grown(level=level, seed=seed)) is None


def test_prices_below_zero_were_never_quoted() -> None:
    assert looks_back_adjusted(shifted(random_walk(10, 1), -101.0)) == (
        "prices at or below 0: adjusted backward by difference?"
    )


def test_early_prices_off_the_tick_look_adjusted_by_ratio() -> None:
    bars = random_walk(300, 1)
    quoted = replace(bars, **{name: np.round(getattr(bars, name) * 4) / 4 for name in PRICES})
    assert looks_back_adjusted(quoted, 0.25) is None
    factor = np.where(np.arange(300) < 150, 0.987654, 1.0)
    adjusted = replace(quoted, **{name: getattr(quoted, name) * factor for name in PRICES})
    assert "off the tick of 0.25" in str(looks_back_adjusted(adjusted, 0.25))
    assert looks_back_adjusted(adjusted) is None


@pytest.mark.skipif(not REAL.exists(), reason="the real market files are not on this machine")
def test_real_spot_prices_show_no_adjustment_and_no_roll_where_there_is_none() -> None:
    for name in ("demo/6E_1min_2024-01", "open/EURUSD_60min_2007-01_2014-03", "open/BTCUSDT_60min_2017-08_2021-06"):
        bars = read_bars(REAL / f"{name}.parquet").bars
        assert looks_back_adjusted(bars) is None
        assert detect_rolls(bars, session_calendar("cme_currency" if "6E" in name else "fx_week")) == ()


def test_settings_say_what_is_done_and_what_else_may_be_a_roll() -> None:
    bars, rows = futures()
    first, second = (time_text(bars.time_ns[row]) for row in rows)
    rolled, notes = apply_rolls(bars, Rolls(at=(first,), detect=True), FUTURES)
    assert rolled.roll_rows.tolist() == rows[:1]
    assert notes[0].startswith(f"ES: roll at {first} from contract 1 to contract 2: ratio 0.99")
    assert notes[1].startswith(f"ES: perhaps a roll at {second}: ")
    assert len(notes) == 2
    assert apply_rolls(bars, Rolls(at=(first,), handling="cut"), FUTURES)[1] == ()
    assert apply_rolls(bars, Rolls(), FUTURES) == (bars, ())
