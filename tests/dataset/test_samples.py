from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ohlcv_factory.dataset.samples import InputSpec, RowMarket, Samples, with_codes
from ohlcv_factory.dataset.windows import WindowSource
from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.models.given_rows import array_samples


def rows() -> Samples:
    return array_samples(np.zeros((3, 2), np.float32), np.array([0, 1, 2]))


def test_the_symbol_is_the_last_column_of_a_matrix() -> None:
    named = rows().with_symbol(("AAA", "BBB"), np.array([1, 0, 1]))
    assert named.feature_names == ("f0", "f1", "symbol")
    assert named.X.dtype == np.float32
    assert named.X[:, 2].tolist() == [1.0, 0.0, 1.0]
    assert named.take(slice(1, 3)).symbols == ("AAA", "BBB")


def test_every_bar_of_a_window_has_the_code_of_its_symbol() -> None:
    table = np.arange(16, dtype=np.float32).reshape(8, 2)  # rows 0 to 3 of one symbol, 4 to 7 of another
    windows = WindowSource(table, np.array([7, 2, 5, 3]), lookback=2)
    coded = with_codes(windows, np.array([1, 0, 1, 0]))
    assert coded[:][:, :, 2].tolist() == [[1, 1], [0, 0], [1, 1], [0, 0]]
    assert np.array_equal(coded[:][:, :, :2], windows[:])


def test_no_windows_have_no_codes() -> None:
    none = WindowSource(np.zeros((0, 2), np.float32), np.zeros(0, np.int64), lookback=2)
    assert with_codes(none, np.zeros(0, np.int64)).shape == (0, 2, 3)


def test_names_of_symbols_belong_to_a_column_and_the_other_way_round() -> None:
    with pytest.raises(DataError, match=r"Samples.symbols is \['AAA'\], the last column is \['f1'\]"):
        replace(rows(), symbols=("AAA",))
    with pytest.raises(DataError, match=r"Samples.symbols is \[\], the last column is \['symbol'\]"):
        replace(rows(), feature_names=("f0", "symbol"))


NAN = np.nan
MARKET = RowMarket(
    close=np.array([10.0, 11.0, 12.0, 13.0, 14.0]),
    atr=np.array([1.0, NAN, 0.0, 1.0, NAN]),
    k_up=np.array([2.0, 2.0, 2.0, NAN, NAN]),
    k_down=np.array([2.0, 2.0, 2.0, NAN, NAN]),
    threshold=np.array([NAN, NAN, NAN, NAN, 0.01]),
    max_bars=np.array([8, 8, 8, 8, 8]),
)


def test_a_rule_is_known_where_its_distances_are_above_zero() -> None:
    assert MARKET.known.tolist() == [True, False, False, False, True]
    assert RowMarket.joined([MARKET.take(slice(3, 5)), MARKET.take(np.array([0]))]).close.tolist() == [13, 14, 10]


def test_a_market_has_one_rule_for_each_sample() -> None:
    with pytest.raises(DataError, match=r"Samples\.market has 5 rows, X has 3"):
        replace(rows(), market=MARKET)
    assert replace(rows(), market=MARKET.take(slice(0, 3))).take(np.array([2])).market.close.tolist() == [12]


def test_rows_to_predict_stand_for_nothing_that_is_not_known() -> None:
    samples = Samples.to_predict(np.zeros((5, 1), np.float32), ("f0",), MARKET)
    assert samples.market is MARKET
    assert samples.class_counts().tolist() == [0, 5, 0]


def test_only_windows_are_padded() -> None:
    with pytest.raises(UsageError, match="only windows are padded"):
        InputSpec(padded=True)
