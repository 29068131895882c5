from __future__ import annotations

import pytest

from ohlcv_factory.dataset.summary import sample_to_feature_note, summarise


def test_the_summary_counts_every_scored_row_once(dataset, container):
    labels = summarise(dataset)["symbols"]["SYNTH"]["horizons"]["20"]
    assert sum(labels["class_counts"]["train"].values()) == len(container.rows("train", scored=True))
    assert sum(labels["class_shares"].values()) == pytest.approx(1.0)
    assert sum(labels["random_walk_shares"].values()) == pytest.approx(1.0)


def test_a_random_walk_looks_like_its_own_null(dataset):
    labels = summarise(dataset)["symbols"]["SYNTH"]["horizons"]["20"]
    for name, share in labels["class_shares"].items():
        assert share == pytest.approx(labels["random_walk_shares"][name], abs=0.08)


def test_fewer_than_ten_rows_per_feature_are_worth_a_note():
    assert sample_to_feature_note(1000, 100) is None
    assert sample_to_feature_note(999, 100) == "999 training rows for 100 features: fewer than 10 rows per feature"
