from __future__ import annotations

import numpy as np
import pytest

from ohlcv_factory.errors import DataError
from ohlcv_factory.features.catalogue import CATEGORIES
from ohlcv_factory.features.selection import (
    INTERPRETABLE,
    SAMPLE_ROWS,
    Selection,
    advised_most_features,
    fit_selection,
    interpretability,
    sample_to_feature_note,
)

NAMES = ("wavelet_close_d1", "return_5", "rsi_14", "is_rth", "atr_pct_14", "atr_pct_7")


@pytest.fixture(scope="module")
def rows():
    """Independent columns, but atr_pct_14 close to atr_pct_7, the wavelet opposite to return_5, is_rth nearly constant."""
    draw = np.random.default_rng(0)
    X = draw.standard_normal((2000, 6)).astype(np.float32)
    X[:, 0] = -X[:, 1] + 0.1 * X[:, 0]
    X[:, 4] = X[:, 5] + 0.5 * X[:, 4]
    X[:, 3] = np.arange(2000) < 5
    y = (X[:, 2] + 0.3 * draw.standard_normal(2000) > 0).astype(np.int8)
    return X, y


def test_no_selection_keeps_every_column(rows):
    assert fit_selection("none", *rows, NAMES, seed=0) == Selection("none", NAMES)


def test_of_a_correlated_pair_the_more_interpretable_one_stays(rows):
    selection = fit_selection("correlation", *rows, NAMES, seed=0)
    assert selection.kept == ("return_5", "rsi_14", "atr_pct_7")
    assert selection.dropped == {
        "is_rth": "one value fills 99.75% of the fit rows",
        "atr_pct_14": "|rho| 0.89 with atr_pct_7",
        "wavelet_close_d1": "|rho| 0.99 with return_5",
    }


def test_a_correlation_of_up_to_four_fifths_is_borne():
    draw = np.random.default_rng(1)
    base, noise = draw.standard_normal((2, 4000))
    base, noise = base - base.mean(), noise - noise.mean()
    noise -= base * (noise @ base) / (base @ base)
    noise *= np.sqrt((base @ base) / (noise @ noise))
    for rho, kept in ((0.79, 2), (0.81, 1)):
        X = np.column_stack((base, rho * base + np.sqrt(1 - rho**2) * noise))
        assert len(fit_selection("correlation", X, np.zeros(4000), ("return_1", "rsi_14"), seed=0).kept) == kept


def test_a_column_whose_stand_in_was_dropped_itself_stays():
    """b goes for a; c is close to b only, so c stays."""
    draw = np.random.default_rng(2)
    a, noise = draw.standard_normal((2, 4000))
    X = np.column_stack((a, a + 0.6 * noise, a + 1.8 * noise))
    rho = np.corrcoef(X.T)
    assert rho[0, 1] > 0.8 and rho[1, 2] > 0.8 and rho[0, 2] < 0.8
    assert fit_selection("correlation", X, np.zeros(4000), ("return_1", "return_5", "return_10"), seed=0).kept == (
        "return_1",
        "return_10",
    )


def test_importance_keeps_the_half_that_the_forest_uses(rows):
    selection = fit_selection("importance", *rows, NAMES, seed=0)
    assert len(selection.kept) == 2  # of the five that vary
    assert "rsi_14" in selection.kept
    assert selection.dropped["is_rth"].startswith("one value")
    assert all("place" in reason for name, reason in selection.dropped.items() if name != "is_rth")


@pytest.mark.parametrize("method", ["correlation", "importance"])
def test_the_same_rows_give_the_same_columns(rows, method):
    assert fit_selection(method, *rows, NAMES, seed=3) == fit_selection(method, *rows, NAMES, seed=3)


def test_the_order_of_the_columns_decides_nothing(rows):
    X, y = rows
    turned = fit_selection("correlation", X[:, ::-1], y, NAMES[::-1], seed=0)
    assert set(turned.kept) == set(fit_selection("correlation", X, y, NAMES, seed=0).kept)


def test_columns_without_any_variation_are_refused():
    with pytest.raises(DataError, match="every column is near-constant"):
        fit_selection("correlation", np.ones((100, 2)), np.zeros(100), ("return_1", "rsi_14"), seed=0)


def test_of_many_rows_an_evenly_spaced_sample_is_looked_at():
    X = np.random.default_rng(0).standard_normal((5 * SAMPLE_ROWS + 1, 2))
    looked_at = np.unique(np.linspace(0, len(X) - 1, SAMPLE_ROWS).astype(int))
    changed = X.copy()
    changed[np.setdiff1d(np.arange(len(X)), looked_at), 1] = X[np.setdiff1d(np.arange(len(X)), looked_at), 0]
    y, names = np.zeros(len(X)), ("return_1", "rsi_14")
    assert fit_selection("correlation", changed, y, names, seed=0).kept == names


def test_every_category_has_its_place_among_the_interpretable_ones():
    assert set(INTERPRETABLE) == {"user", *(category.name for category in CATEGORIES)}


def test_base_columns_and_short_look_backs_come_first():
    names = ["wavelet_close_d1", "rsi_14_1h", "return_20", "rsi_14", "return_5", "a_column_of_nobody"]
    assert sorted(names, key=interpretability) == [
        "return_5", "return_20", "rsi_14", "rsi_14_1h", "wavelet_close_d1", "a_column_of_nobody",
    ]  # fmt: skip


def test_a_selection_is_read_back_as_it_was_written(rows):
    selection = fit_selection("correlation", *rows, NAMES, seed=0)
    assert Selection.from_plain(selection.plain()) == selection


@pytest.mark.parametrize(
    ("rows", "features"),
    [
        (50_000, 100),
        (100_000, 200),
        (200_000, 400),
        (500_000, 500),
        (2_000_000, 500),
        (25_000, 50),
        (350_000, 450),
        (1, 1),
    ],
)
def test_the_advised_number_of_features_follows_the_table(rows, features):
    assert advised_most_features(rows) == features


def test_fewer_than_ten_rows_per_feature_are_worth_a_note():
    assert sample_to_feature_note(1000, 100) is None
    assert sample_to_feature_note(999, 100) == (
        "999 training rows for 100 features: fewer than 10 rows per feature; "
        "at most 1 features are advised (a smaller feature set, or feature_selection)"
    )
