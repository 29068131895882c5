from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ohlcv_factory.audit.foreknowledge import FOREKNOWLEDGE_LIMIT, Foreknowledge
from ohlcv_factory.labels.classes import LONG, SHORT


def with_column(container, name, values):
    """The container with other values in one of its columns."""
    table = container.table.copy()
    table[container.table_row, container.feature_names.index(name)] = values
    return replace(container, table=table)


def caught(container):
    return {violation.feature for violation in Foreknowledge.of(container).violations()}


def test_no_column_of_an_ordinary_dataset_knows_too_much(container):
    known = Foreknowledge.of(container)
    assert list(known.violations()) == []
    assert known.strongest < 0.4 < FOREKNOWLEDGE_LIMIT


def test_the_correlation_is_that_of_numpy(container):
    rows = np.flatnonzero(container.labels.scored)
    label = container.labels.label[rows]
    direction = (label == LONG) * 1.0 - (label == SHORT) * 1.0
    place = container.feature_names.index("rsi_14")
    expected = np.corrcoef(container.features[rows, place], direction)[0, 1]
    assert Foreknowledge.of(container).found["the label's direction"][place] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_a_label_among_the_features_is_caught(container, noise):
    drawn = np.random.default_rng(0).normal(0.0, noise, len(container)) if noise else 0.0
    assert caught(with_column(container, "rsi_14", container.labels.label + drawn)) == {"rsi_14"}


def test_the_next_return_is_caught(container):
    close = container.markets[0].bars.close
    following = np.append(np.diff(np.log(close)), 0.0)[container.index["row"]]
    assert caught(with_column(container, "hour_sin", following)) == {"hour_sin"}


def test_a_constant_column_knows_nothing(container):
    place = container.feature_names.index("hour_sin")
    known = Foreknowledge.of(with_column(container, "hour_sin", 3.0))
    assert [each[place] for each in known.found.values()] == [0.0, 0.0]
