"""Permutation importance: what is exchanged, in which rows, and that a planted signal is found in noise."""

from __future__ import annotations

import numpy as np
import pytest
from forecasters import forecasters
from noise import NOISE, OWN_SET, SIGNAL, signal_and_noise

from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.dataset.windows import WindowSource
from ohlcv_factory.errors import DataError
from ohlcv_factory.training.fitting import fit_pipeline
from ohlcv_factory.training.permutation import (
    Exchanged,
    ExchangedRows,
    block_order,
    permutation_importance,
    stretch_name,
    stretches,
)
from ohlcv_factory.training.pipeline import ContainerRows
from ohlcv_factory.training.settings import TrainerConfig

__all__ = ["forecasters"]


@pytest.fixture(scope="module")
def container():
    return signal_and_noise()


@pytest.fixture(scope="module")
def pipeline(container):
    """A logistic regression on them."""
    config = TrainerConfig(model_name="logistic", horizon=5, feature_set="signal_and_noise", feature_sets=OWN_SET)
    return fit_pipeline(config, container).pipeline


def by_subject(found, subject):
    return {each.name: each.increase for each in found if each.subject == subject}


def test_the_planted_column_is_found_first_with_its_category(container, pipeline):
    found = permutation_importance(pipeline, container, container.rows("val"), seed=1)
    features, categories = by_subject(found, "feature"), by_subject(found, "category")
    assert set(features) == set(pipeline.columns)
    assert max(features, key=features.get) == SIGNAL
    assert max(categories, key=categories.get) == "volume"
    assert features[SIGNAL] > 10 * abs(features[NOISE])
    assert by_subject(found, "bars") == {}


def test_the_seed_decides_every_exchange(container, pipeline):
    first, again, other = (
        permutation_importance(pipeline, container, container.rows("val"), seed=seed, repeats=1) for seed in (1, 1, 2)
    )
    assert first == again
    assert [each.increase for each in first] != [each.increase for each in other]


def test_rows_without_a_label_have_no_importance(container, pipeline):
    with pytest.raises(DataError, match="no row has a label"):
        permutation_importance(pipeline, container, container.rows("val")[:0], seed=1)


def test_only_the_named_column_is_exchanged_and_a_row_keeps_its_symbol_and_rule(container, pipeline):
    rows = container.rows("val")[:50]
    source = ContainerRows(container, rows)
    order = np.arange(50)[::-1]
    changed = ExchangedRows(source, Exchanged("feature", NOISE, frozenset((NOISE,))), order)
    plain, mixed = (each.inputs(pipeline.model, pipeline.columns) for each in (source, changed))
    place = pipeline.columns.index(NOISE)
    assert np.array_equal(mixed[:, place], plain[::-1, place])
    assert np.array_equal(np.delete(mixed, place, axis=1), np.delete(plain, place, axis=1))
    assert np.array_equal(changed.codes, source.codes)
    assert changed.market().close.tolist() == source.market().close.tolist()
    assert np.array_equal(changed.matrix((NOISE,)), source.matrix((NOISE,))[::-1])


def windows():
    return np.arange(2 * 4 * 2, dtype=np.float32).reshape(2, 4, 2)  # (row, bar, feature)


def test_a_column_of_a_window_is_exchanged_whole():
    swapped = Exchanged("feature", "b", frozenset("b")).apply(windows(), ("a", "b"), np.array([1, 0]))
    assert swapped[0, :, 1].tolist() == [9, 11, 13, 15]
    assert swapped[0, :, 0].tolist() == [0, 2, 4, 6]


def test_a_stretch_of_bars_is_exchanged_in_all_columns():
    swapped = Exchanged("bars", "-3 to -2", frozenset("ab"), (3, 2)).apply(windows(), ("a", "b"), np.array([1, 0]))
    assert swapped[0].tolist() == [[8, 9], [10, 11], [4, 5], [6, 7]]
    newest = Exchanged("bars", "0", frozenset("ab"), (0, 0)).apply(windows(), ("a", "b"), np.array([1, 0]))
    assert newest[0].tolist() == [[0, 1], [2, 3], [4, 5], [14, 15]]


def test_bars_that_do_not_exist_stay_missing_and_give_nothing():
    values = windows()
    values[1, 0] = np.nan
    swapped = Exchanged("feature", "b", frozenset("b")).apply(values, ("a", "b"), np.array([1, 0]))
    assert swapped[0, :, 1].tolist() == [1, 11, 13, 15]
    assert np.isnan(swapped[1, 0]).all()
    assert WindowSource.of_array(swapped, padded=True).firsts.tolist() == [0, 5]


@pytest.mark.parametrize(
    ("lookback", "found"),
    [
        (1, []),
        (2, ["0", "-1"]),
        (5, ["0", "-1", "-3 to -2", "-4"]),
        (16, ["0", "-1", "-3 to -2", "-7 to -4", "-15 to -8"]),
    ],
)
def test_stretches_double_towards_the_past_and_cover_the_window(lookback, found):
    assert [stretch_name(*each) for each in stretches(lookback)] == found
    assert sum(first - last + 1 for first, last in stretches(lookback)) in (0, lookback)


def test_blocks_of_neighbours_move_together_and_never_to_another_symbol():
    codes = np.repeat([0, 1], [60, 40])
    order = block_order(codes, np.random.default_rng(0))
    assert sorted(order.tolist()) == list(range(100))
    assert np.array_equal(codes[order], codes)
    assert (np.diff(order) == 1).mean() > 0.75
    assert not np.array_equal(order, np.arange(100))


def test_a_forecaster_of_padded_windows_has_one_too(forecasters):
    settings = DatasetConfig.parse(
        {"horizons": [5], "features": ["return_1"], "embargo_days": "auto", "timeframes": []}
    )
    rows = TimeSeriesDataContainer.from_bars(random_walk(2200, 3, bar_seconds=3600), horizon=5, config=settings)
    config = TrainerConfig(model_name="gaussian_walk", horizon=5, model={"lookback": 16})
    pipeline = fit_pipeline(config, rows).pipeline
    found = permutation_importance(pipeline, rows, rows.rows("train"), seed=1, repeats=1)
    assert [each.name for each in found if each.subject == "feature"] == ["close"]
    assert [each.name for each in found if each.subject == "bars"][-1] == "-15 to -8"
    assert any(each.increase != 0 for each in found)
