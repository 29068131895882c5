from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from markets import COLUMNS, bar_file

from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.build import build_dataset
from ohlcv_factory.dataset.settings import DatasetConfig
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


def test_the_summary_counts_what_the_source_bars_settled():
    config = DatasetConfig.parse(
        {
            "bar_size": "5min", "horizons": [5], "features": list(COLUMNS), "embargo_days": "auto", "history_bars": 0,
            "timeframes": [], "barriers": {5: {"k_up": 0.5, "k_down": 0.5}},
        }
    )  # fmt: skip
    built = build_dataset([bar_file(random_walk(15_000, 5, bar_seconds=60))], config)
    path = built.symbols[0].labels[5].path
    rows = path.labelled & (np.arange(3000) >= built.first_eligible)
    labels = summarise(built)["symbols"]["SYNTH"]["horizons"]["5"]
    assert labels["resolved_share"] == path.resolved[rows].mean() > 0.02
    assert labels["ambiguous_share"] == path.ambiguous[rows].mean() < labels["resolved_share"]


def test_the_null_of_cost_aware_labels_pays_costs_too():
    settings = {"horizons": (5,), "features": COLUMNS, "embargo_days": "auto"}
    walk = bar_file(random_walk(3000, 1))
    shares = {
        aware: summarise(build_dataset([walk], DatasetConfig(**settings, cost_aware=aware)))["symbols"]["SYNTH"][
            "horizons"
        ]["5"]
        for aware in (False, True)
    }
    assert shares[True]["random_walk_shares"]["neutral"] > shares[False]["random_walk_shares"]["neutral"] + 0.05
    for name, share in shares[True]["class_shares"].items():
        assert share == pytest.approx(shares[True]["random_walk_shares"][name], abs=0.1)


def test_the_summary_says_how_many_features_the_training_rows_can_carry(dataset):
    advice = summarise(dataset)["sample_to_feature"]
    assert advice["training_rows"] == sum((symbol.part == 0).sum() for symbol in dataset.symbols)
    assert advice["advised_most_features"] == advice["training_rows"] // 500
    assert advice["warning"] is None


def test_too_many_columns_for_the_training_rows_are_warned_of(dataset):
    wide = replace(dataset, feature_names=tuple(f"column_{number}" for number in range(1000)))
    assert "training rows for 1000 features: fewer than 10 rows" in summarise(wide)["sample_to_feature"]["warning"]
