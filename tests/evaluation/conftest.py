from __future__ import annotations

import numpy as np
import pytest

from ohlcv_factory.bars.instruments import BarrierRule, Instrument
from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.dataset.market import SymbolMarket
from ohlcv_factory.dataset.samples import INDEX_DTYPE
from ohlcv_factory.evaluation.predictions import Predictions

BAR_NS = 3600 * 1_000_000_000
START_NS = 1_704_067_200_000_000_000  # 2024-01-01T00:00Z


@pytest.fixture
def make_market():
    """A market of hourly bars whose opens are the closes before, by log returns."""

    def make(returns, symbol="X", fee_bps=1.0):
        close = 100 * np.exp(np.cumsum(returns))
        open_ = np.concatenate([[100.0], close[:-1]])
        time_ns = START_NS + np.arange(len(close)) * BAR_NS
        high, low = np.maximum(open_, close) * 1.001, np.minimum(open_, close) * 0.999
        bars = Bars(symbol, time_ns, open_, high, low, close, np.ones(len(close)), 3600)
        instrument = Instrument(symbol=symbol, fee_bps=fee_bps)
        rule = BarrierRule(k_up=2.0, k_down=2.0, max_bars=4)
        return SymbolMarket(bars, close * 0.01, rule, instrument, instrument.sessions.session_day(time_ns))

    return make


@pytest.fixture
def make_predictions():
    """Predictions on consecutive rows, scored everywhere unless said."""

    def make(decision, truth, *, first_row=0, code=0, symbols=("X",), scored=None, sure=0.8):
        count = len(decision)
        index = np.zeros(count, INDEX_DTYPE)
        index["symbol_code"], index["row"] = code, first_row + np.arange(count)
        index["time_ns"] = START_NS + index["row"] * BAR_NS
        classes = np.array(decision, np.int8)
        probabilities = np.full((count, 3), (1 - sure) / 2)
        probabilities[np.arange(count), classes] = sure
        flags = np.ones(count, bool) if scored is None else np.array(scored, bool)
        return Predictions(
            index, symbols, probabilities, probabilities, classes, np.array(truth, np.int8), flags, flags, 5
        )

    return make
