from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ohlcv_factory.dataset.samples import Samples, with_codes
from ohlcv_factory.dataset.windows import WindowSource
from ohlcv_factory.errors import DataError
from ohlcv_factory.models.base import array_samples


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
