from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from markets import bar_file

from ohlcv_factory.audit.stored_values import stored_values
from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.build import build_dataset
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.settings import DatasetConfig

LAST = 500


def caught(container):
    return {violation.feature: violation.size for violation in stored_values(container, LAST)}


def test_a_dataset_stores_what_its_bars_give(container):
    assert caught(container) == {}


@pytest.mark.parametrize(
    "settings",
    [
        {"label": "fixed_horizon", "theta": 0.4},
        {"bar_size": "15min"},
        {"session_end": True, "cost_aware": True},
        {"entry": "close", "horizons": [5, 10]},
    ],
)
def test_whatever_its_settings_are(settings):
    values = {"horizons": [5], "features": ["return_1", "rsi_14"], "embargo_days": "auto", **settings}
    walks = [bar_file(random_walk(9000, seed, symbol=f"SYNTH{seed}")) for seed in (1, 2)]
    dataset = build_dataset(walks, DatasetConfig.parse(values))
    for horizon in dataset.config.horizons:
        assert caught(TimeSeriesDataContainer.from_built(dataset, horizon)) == {}


def test_a_column_that_was_replaced_is_caught_with_bar_and_size(container):
    """The next return in ten times as much noise: too weak for its correlation to tell."""
    close = container.markets[0].bars.close
    following = np.append(np.diff(np.log(close)), 0.0)[container.index["row"]]
    noise = np.random.default_rng(0).normal(0, 10 * following.std(), len(following))
    table = container.table.copy()
    table[container.table_row, container.feature_names.index("return_5")] = following + noise
    (violation,) = stored_values(replace(container, table=table), LAST)
    assert violation.feature == "return_5"
    assert violation.bar >= container.index["row"][-LAST]
    assert violation.size > 0


def test_labels_that_were_changed_are_caught_with_their_number(container):
    label = container.labels.label.copy()
    labelled = np.flatnonzero(container.labels.labelled)[:7]
    label[labelled] = (label[labelled] + 1) % 3
    labels = replace(container.labels, label=label)
    assert caught(replace(container, labels=labels)) == {"label of horizon 5": 7.0}


def test_label_ends_that_were_changed_are_caught(container):
    end = container.labels.end_ns.copy()
    end[np.flatnonzero(container.labels.labelled)[0]] += 1
    assert caught(replace(container, labels=replace(container.labels, end_ns=end))) == {"label end of horizon 5": 1.0}
