"""Labels by their definition, one row at a time in plain Python, and small markets that leave no branch out.

Prices lie on a grid of a quarter, so that touches are exact, gaps wide and double touches common.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from ohlcv_factory.bars.instruments import BarrierRule, Instrument
from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.labels.fixed_horizon import FixedHorizonRule

TICK = 0.25
FINER_PER_BAR = 3
FINER_SECONDS = 60
SHORT, NEUTRAL, LONG = 0, 1, 2
TIMED_OUT, CLEAN, GAPPED = 0, 1, 2


@dataclass(frozen=True)
class Market:
    """Bars made of finer ones, with everything that may decide a label on them."""

    bars: Bars
    source: Bars | None
    atr: np.ndarray
    rule: BarrierRule | FixedHorizonRule
    entry: str
    session_day: np.ndarray | None
    instrument: Instrument | None
    """Where costs decide, else None."""


@dataclass(frozen=True)
class Outcome:
    """What the definition says of one labelled row."""

    label: int
    ambiguous: bool
    resolved: bool
    end_row: int
    realised_return: float
    adverse: float
    favourable: float
    touch: int


@st.composite
def markets(draw, kinds=("triple_barrier", "fixed_horizon")):
    """A market with every option on or off."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(4, 22))
    bars, source = _bars(generator, count, rolls=draw(st.booleans()))
    atr = generator.choice([np.nan, 0.0, 0.5, 1.0, 1.5, 2.0], count, p=[0.05, 0.05, 0.3, 0.3, 0.2, 0.1])
    session_day = np.cumsum(generator.random(count) < 0.2)
    fee, ticks = draw(st.sampled_from([(0.0, 1.0), (0.0, 3.0), (25.0, 0.5)]))
    instrument = Instrument(symbol="X", fee_bps=fee, slippage_ticks=ticks, tick_size=TICK)
    return Market(
        bars,
        source if draw(st.booleans()) else None,
        atr,
        _rule(draw, draw(st.sampled_from(kinds))),
        draw(st.sampled_from(["next_open", "close"])),
        session_day if draw(st.booleans()) else None,
        instrument if draw(st.booleans()) else None,
    )


def _rule(draw, kind):
    steps = draw(st.integers(1, 6))
    if kind == "fixed_horizon":
        return FixedHorizonRule(theta=draw(st.sampled_from([0.1, 0.5, 1.0])), horizon=steps, sigma_bars=3)
    distances = st.sampled_from([0.5, 1.0, 1.5, 2.0])
    return BarrierRule(k_up=draw(distances), k_down=draw(distances), max_bars=steps)


def _bars(generator, count, *, rolls):
    """Bars and the finer ones under them; about one finer bar in five is absent, one bar in ten opens far away."""
    rows, owner, minute, last = [], [], [], 100.0
    for bar in range(count):
        present = [0, *(1 + np.flatnonzero(generator.random(FINER_PER_BAR - 1) < 0.8))]
        for place in present:
            gap = generator.random() < 0.1
            prices = last + TICK * np.cumsum(generator.integers(-2, 3, 6) + gap * generator.integers(-6, 7, 6))
            opened, closed = (prices[0], prices[-1]) if gap else (last, prices[-1])
            inside = [opened, *prices[1:], closed]
            rows.append((opened, max(inside), min(inside), closed))
            owner.append(bar)
            minute.append(bar * FINER_PER_BAR + place)
            last = closed
    finer, owner = np.array(rows), np.array(owner)
    whole = [finer[owner == bar] for bar in range(count)]
    table = np.array([(one[0, 0], one[:, 1].max(), one[:, 2].min(), one[-1, 3]) for one in whole])
    codes = np.cumsum(generator.random(count) < 0.1).astype(np.int32) if rolls else None
    names = tuple(f"C{code}" for code in range(count)) if rolls else ()
    step = FINER_SECONDS * 1_000_000_000
    bars = Bars(
        "X", np.arange(count) * FINER_PER_BAR * step, *table.T.copy(), np.ones(count), FINER_PER_BAR * FINER_SECONDS,
        contract=codes, contract_names=names,
    )  # fmt: skip
    return bars, Bars("X", np.array(minute) * step, *finer.T.copy(), np.ones(len(finer)), FINER_SECONDS)


def expected(market: Market, scale: np.ndarray, t: int) -> Outcome | None:
    """The label of row t by its definition; None where there is none. `scale` is the ATR or sigma of each row."""
    rule, bars = market.rule, market.bars
    if not scale[t] > 0 or t + rule.max_bars > _last_row(market, t):
        return None
    entry = bars.open[t + 1] if market.entry == "next_open" else bars.close[t]
    if isinstance(rule, FixedHorizonRule):
        up = down = rule.theta * math.sqrt(rule.horizon) * scale[t] * entry
        found = _fixed(bars, rule, t, entry, up)
    else:
        up, down = rule.k_up * scale[t], rule.k_down * scale[t]
        found = _first_touch(market, t, entry + up, entry - down)
    label, touch, end, price, seen, ambiguous, resolved = found
    if market.instrument and label != NEUTRAL:
        side = 1 if label == LONG else -1
        label = label if side * (price - entry) > _cost(market.instrument, entry, price) else NEUTRAL
    rise = (max([entry, *seen]) - entry) / up
    fall = (entry - min([entry, *seen])) / down
    adverse, favourable = {
        SHORT: (rise, fall), NEUTRAL: (max(rise, fall), min(rise, fall)), LONG: (fall, rise)
    }[label]  # fmt: skip
    return Outcome(label, ambiguous, resolved, end, price / entry - 1, adverse, favourable, touch)


def _last_row(market: Market, t: int) -> int:
    """The last row of row t's contract and session."""
    row = t
    while row + 1 < len(market.bars) and all(
        codes is None or codes[row + 1] == codes[t] for codes in (market.bars.contract, market.session_day)
    ):
        row += 1
    return row


def _fixed(bars, rule, t, entry, distance):
    end = t + rule.horizon
    seen = [price for row in range(t + 1, end + 1) for price in (bars.high[row], bars.low[row])]
    move = bars.close[end] - entry
    label = LONG if move >= distance else SHORT if move <= -distance else NEUTRAL
    return label, TIMED_OUT, end, bars.close[end], seen, False, False


def _first_touch(market, t, upper, lower):
    """Label, touch, end row, exit price, prices seen until then, ambiguous, resolved."""
    bars, end = market.bars, t + market.rule.max_bars
    seen = []
    for row in range(t + 1, end + 1):
        one = (bars.open[row], bars.high[row], bars.low[row])
        label, touch, price, here = _touch(one, upper, lower)
        if touch is not None:
            return label, touch, row, price, [*seen, *here], False, False
        if here is None:
            label, touch, price, here = _among_finer(market, row, upper, lower)
            if touch is not None:
                return label, touch, row, price, [*seen, *here], False, True
            return SHORT, CLEAN, row, lower, [*seen, one[1], lower], True, False
        seen += here
    return NEUTRAL, TIMED_OUT, end, bars.close[end], seen, False, False


def _among_finer(market, row, upper, lower):
    """What the finer bars inside a bar say, in order."""
    if market.source is None:
        return None, None, 0.0, None
    start = market.bars.time_ns[row]
    seen = []
    for minute in range(len(market.source)):
        time = market.source.time_ns[minute]
        if not start <= time < start + market.bars.bar_seconds * 1_000_000_000:
            continue
        one = (market.source.open[minute], market.source.high[minute], market.source.low[minute])
        label, touch, price, here = _touch(one, upper, lower)
        if touch is not None:
            return label, touch, price, [*seen, *here]
        if here is None:
            break
        seen += here
    return None, None, 0.0, None


def _touch(one, upper, lower):
    """Label, touch, exit price and prices seen in one bar; touch None without a touch, prices None where both are met."""
    opened, high, low = one
    if opened >= upper or opened <= lower:
        return (LONG if opened >= upper else SHORT), GAPPED, opened, [opened]
    if high >= upper and low <= lower:
        return None, None, 0.0, None
    if high >= upper:
        return LONG, CLEAN, upper, [upper, low]
    if low <= lower:
        return SHORT, CLEAN, lower, [high, lower]
    return None, None, 0.0, [high, low]


def _cost(instrument: Instrument, entry: float, price: float) -> float:
    per_side = instrument.slippage_ticks * TICK
    return (instrument.fee_bps * 1e-4 * entry + per_side) + (instrument.fee_bps * 1e-4 * price + per_side)
