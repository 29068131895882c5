from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ohlcv_factory.bars.rolls import Rolls
from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.features import plugins
from ohlcv_factory.runtime.clock import time_text
from ohlcv_factory.training.bundle import ModelBundle
from ohlcv_factory.training.drift import TrainingRange
from ohlcv_factory.training.live import LiveMarket, RecomputedColumnsWarning

NEWEST = 24


@pytest.fixture(scope="module")
def bundle(finished):
    return ModelBundle.from_run(finished.path)


def rolled(bars, row):
    """The same way, of which the part from `row` on is quoted a quarter higher, as another contract."""
    later = np.arange(len(bars)) >= row
    prices = {name: np.where(later, 1.25, 1.0) * getattr(bars, name) for name in ("open", "high", "low", "close")}
    return replace(bars, **prices, contract=later.astype(np.int32), contract_names=("H", "M"))


def live(bundle, bars, start):
    session = bundle.live(bars.head(start))
    return [session.update(bars.slice(row, row + 1)) for row in range(start, len(bars))]


def assert_same(found, batch):
    assert [int(one.index["row"][0]) for one in found] == batch.index["row"].tolist()
    assert [int(one.index["time_ns"][0]) for one in found] == batch.index["time_ns"].tolist()
    assert np.concatenate([one.raw for one in found]).tobytes() == batch.raw.tobytes()
    assert np.concatenate([one.probabilities for one in found]).tobytes() == batch.probabilities.tobytes()


@pytest.mark.parametrize("roll", [4000, -NEWEST // 2, -NEWEST])
def test_a_roll_is_adjusted_for_bar_by_bar(bundle, market, roll):
    bars = rolled(market, roll % len(market))
    assert_same(live(bundle, bars, len(bars) - NEWEST), bundle.predict(bars).take(slice(-NEWEST, None)))


def test_a_roll_at_a_confirmed_time_is_adjusted_for_bar_by_bar(bundle, market):
    for row in (5000, len(market) - 5):
        bars = replace(rolled(market, row), contract=None, contract_names=())
        confirmed = replace(bundle, rolls=Rolls(at=(time_text(market.time_ns[row]),)))
        assert_same(live(confirmed, bars, len(bars) - NEWEST), confirmed.predict(bars).take(slice(-NEWEST, None)))


def test_a_confirmed_time_that_begins_no_bar_is_refused_when_it_has_passed(bundle, market):
    start = len(market) - 2
    between = time_text(market.time_ns[start] - 10**9)
    session = replace(bundle, rolls=Rolls(at=(between,))).live(market.head(start))
    with pytest.raises(UsageError, match="begins no bar"):
        session.update(market.slice(start, start + 1))


def test_a_session_that_cuts_at_rolls_gets_warm_again_after_one(bundle, market):
    cut, row = replace(bundle, rolls=Rolls(handling="cut")), 5000
    bars = rolled(market, row)
    first = row + bundle.first_eligible
    session = cut.live(bars.head(first - 3))
    for cold in range(first - 3, first):
        with pytest.raises(DataError, match="is not warm yet"):
            session.update(bars.slice(cold, cold + 1))
    found = [session.update(bars.slice(at, at + 1)) for at in range(first, first + 5)]
    batch = cut.predict(bars.head(first + 5))
    assert_same(found, batch.take(batch.index["row"] >= first))


def test_bars_that_name_no_contract_do_not_continue_those_that_do(bundle, market):
    session = bundle.live(rolled(market, 4000).head(8000))
    with pytest.raises(DataError, match="some bars name their contract, others do not"):
        session.update(market.slice(8000, 8001))


def test_a_refused_bar_leaves_the_session_as_it_was(bundle, market):
    start = len(market) - 3
    session = bundle.live(market.head(start))
    with pytest.raises(DataError, match="the next bar must be one bar later"):
        session.update(market.slice(5, 6))
    found = [session.update(market.slice(row, row + 1)) for row in range(start, len(market))]
    assert_same(found, bundle.predict(market).take(slice(-3, None)))


def test_a_session_names_the_columns_that_it_computes_from_the_start_of_their_block(monkeypatch, bundle, market):
    monkeypatch.setattr(plugins, "_declared", dict(plugins._declared))

    @plugins.feature("own_memory", formula="mean of close since the start", lookback=50)
    def own_memory(inputs):
        return np.cumsum(inputs.close) / np.arange(1, len(inputs) + 1)

    columns = (*bundle.pipeline.columns[:-1], "own_memory")
    nothing_watched = TrainingRange((), np.empty(0), np.empty(0))
    own = replace(bundle, pipeline=replace(bundle.pipeline, columns=columns), training_range=nothing_watched)
    with pytest.warns(RecomputedColumnsWarning, match="own_memory"):
        session = own.live(market.head(len(market) - 1))
    assert session.recomputed == ("own_memory",)
    own_last = session.update(market.slice(len(market) - 1, len(market)))
    assert own_last.raw.tobytes() == own.predict(market).take(slice(-1, None)).raw.tobytes()


def test_a_session_remembers_no_more_for_being_long(bundle, market):
    session, sizes = bundle.live(market.head(7000)), []
    for row in range(7000, 7400):
        session.update(market.slice(row, row + 1))
        sizes.append(sum(values.nbytes for values in session._features.bars._arrays.values()))
    assert len(set(sizes[1:])) == 1  # room for the bars of a block was made at the first


def test_the_label_rule_goes_on_bar_by_bar(bundle, market):
    from ohlcv_factory.dataset.market import row_market
    from ohlcv_factory.labels.fixed_horizon import FixedHorizonRule
    from ohlcv_factory.labels.triple_barrier import barrier_atr

    bars = rolled(market, 200).head(400)
    for rule in (bundle.label_rule("SYNTH"), FixedHorizonRule(horizon=5)):
        found = LiveMarket(bars.head(1), rule)
        expected = row_market(bars, barrier_atr(bars), rule, np.arange(400))
        for row in range(1, 400):
            found.append(bars.slice(row, row + 1), rolled=row == 200)
            for name in ("close", "atr", "k_up", "k_down", "threshold", "max_bars"):
                assert getattr(found.newest(), name).tobytes() == getattr(expected, name)[row : row + 1].tobytes()
