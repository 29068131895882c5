from __future__ import annotations

from dataclasses import replace

import pytest

from ohlcv_factory.dataset.summary import summarise


def test_the_summary_counts_every_scored_row_once(dataset, container):
    labels = summarise(dataset)["symbols"]["SYNTH"]["horizons"]["20"]
    assert sum(labels["class_counts"]["train"].values()) == len(container.rows("train", scored=True))
    assert sum(labels["class_shares"].values()) == pytest.approx(1.0)
    assert sum(labels["random_walk_shares"].values()) == pytest.approx(1.0)


def test_a_random_walk_looks_like_its_own_null(dataset):
    labels = summarise(dataset)["symbols"]["SYNTH"]["horizons"]["20"]
    for name, share in labels["class_shares"].items():
        assert share == pytest.approx(labels["random_walk_shares"][name], abs=0.08)


def test_the_summary_says_how_many_features_the_training_rows_can_carry(dataset):
    advice = summarise(dataset)["sample_to_feature"]
    assert advice["training_rows"] == sum((symbol.part == 0).sum() for symbol in dataset.symbols)
    assert advice["advised_most_features"] == advice["training_rows"] // 500
    assert advice["warning"] is None


def test_too_many_columns_for_the_training_rows_are_warned_of(dataset):
    wide = replace(dataset, feature_names=tuple(f"column_{number}" for number in range(1000)))
    assert "training rows for 1000 features: fewer than 10 rows" in summarise(wide)["sample_to_feature"]["warning"]
