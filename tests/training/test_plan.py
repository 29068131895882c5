from __future__ import annotations

import numpy as np
import pytest

from ohlcv_factory.training.memory_estimate import estimate_memory_requirements
from ohlcv_factory.training.plan import run_plan


def test_a_plan_counts_rows_and_writes_nothing(container, config, tmp_path):
    settings = config(model_name="lightgbm", model={"n_estimators": 40})
    plan = run_plan(settings, container)
    assert plan["rows_train"] == len(container.rows("train", scored=True))
    assert plan["rows_fit"] + plan["rows_stop"] + plan["rows_calibrate"] <= plan["rows_train"]
    assert plan["seconds_at_most"] > 0
    assert not settings.output_dir.exists()


def test_more_rounds_take_more_time(container, config):
    few, many = (
        run_plan(config(model_name="xgboost", model={"n_estimators": rounds}), container)["seconds_at_most"]
        for rounds in (20, 2000)
    )
    assert many > 5 * few


def test_memory_grows_with_the_values_of_every_family():
    for family in ("boosting", "classical", "somebody_elses"):
        small, large = (
            estimate_memory_requirements(family, rows, 100)["cpu_memory_gb"] for rows in (10_000, 1_000_000)
        )
        assert large > small > 0.3


def test_a_plan_warns_of_more_columns_than_the_rows_can_carry(container, config):
    few = np.flatnonzero(container.part == 0)[::150]
    narrow = container.with_split(np.where(np.isin(np.arange(len(container)), few), 0, -1))
    plan = run_plan(config(feature_set="boosting_optimal"), narrow)
    assert any(note.startswith(f"{plan['rows_fit']} training rows for") for note in plan["notes"])
    assert plan["rows_fit"] < 10 * plan["features"]


def test_a_network_s_plan_tells_batches_seconds_per_epoch_and_what_was_chosen(container, config):
    pytest.importorskip("torch")
    model = {"hidden_size": 4, "num_layers": 1, "windows_per_epoch": 1000, "lookback": 8, "device": "cpu"}
    plan = run_plan(config(model_name="gru", batch_size=64, max_epochs=7, model=model), container)
    assert plan["batches_per_epoch"] == 16  # 15.6 batches of 64
    assert plan["seconds_at_most"] == pytest.approx(7 * plan["seconds_per_epoch"], abs=0.2)
    chosen = {name: plan[name] for name in ("preset", "lookback", "windows_per_epoch", "device")}
    assert chosen == {"preset": "small", "lookback": 8, "windows_per_epoch": 1000, "device": "cpu"}


def test_a_fit_that_ends_while_its_learning_rate_warms_up_is_told_so(container, config):
    pytest.importorskip("torch")
    model = {"hidden_size": 4, "num_layers": 1, "lookback": 8, "warmup_epochs": 3, "learning_rate": 0.004}
    noted = run_plan(config(model_name="gru", max_epochs=2, model=model), container)["notes"]
    assert noted[0].startswith(
        "max_epochs=2 ends inside the warm-up of 3 epochs: the learning rate reaches 0.002 of 0.004"
    )
    longer = run_plan(config(model_name="gru", max_epochs=4, model=model), container)["notes"]
    assert not any("warm-up" in note for note in longer)
