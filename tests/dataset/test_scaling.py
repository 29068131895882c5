from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohlcv_factory.dataset.scaling import Scaler
from ohlcv_factory.errors import UsageError


def test_standard_centres_on_the_mean_and_scales_by_the_deviation():
    scaler = Scaler.fit("standard", np.array([[1.0], [3.0]], dtype=np.float32))
    assert scaler.apply(np.array([[1.0], [2.0], [5.0]], dtype=np.float32)).ravel().tolist() == [-1.0, 0.0, 3.0]


def test_robust_uses_median_and_quartiles_so_one_outlier_does_not_count():
    column = np.array([[0.0], [1.0], [2.0], [3.0], [1e9]], dtype=np.float32)
    scaler = Scaler.fit("robust", column)
    assert (scaler.centre[0], scaler.scale[0]) == (2.0, 2.0)


def test_columns_without_spread_become_zero_and_never_nan():
    constant = np.full((5, 1), 7.0, dtype=np.float32)
    for kind in ("standard", "robust"):
        assert Scaler.fit(kind, constant).apply(constant).ravel().tolist() == [0.0] * 5


def test_none_passes_the_very_same_array():
    X = np.ones((2, 2), dtype=np.float32)
    assert Scaler.fit("none", X).apply(X) is X


@given(st.integers(0, 2**32 - 1))
def test_json_round_trip_gives_the_same_bytes(seed):
    X = np.random.default_rng(seed).normal(size=(20, 3)).astype(np.float32)
    for kind in ("standard", "robust"):
        scaler = Scaler.fit(kind, X)
        again = Scaler.from_plain(json.loads(json.dumps(scaler.plain())))
        assert again.apply(X).tobytes() == scaler.apply(X).tobytes()


def test_a_row_alone_has_the_bytes_it_has_among_others():
    X = np.random.default_rng(0).normal(size=(100, 7)).astype(np.float32)
    scaler = Scaler.fit("standard", X)
    assert scaler.apply(X[41:42]).tobytes() == scaler.apply(X)[41:42].tobytes()


def test_unknown_scaling_is_refused():
    with pytest.raises(UsageError, match="unknown scaling 'minmax'"):
        Scaler.fit("minmax", np.ones((2, 2)))
