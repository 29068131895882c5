from __future__ import annotations

import numpy as np
import pytest

from ohlcv_factory.errors import ResourceError
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.runtime import memory
from ohlcv_factory.training.memory_estimate import estimate_memory_requirements
from ohlcv_factory.training.plan import run_plan
from ohlcv_factory.training.trainer import Trainer


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


def test_memory_grows_with_the_values_of_every_tabular_model():
    for name in ("lightgbm", "logistic"):
        model = ModelRegistry.create(name)
        small, large = (estimate_memory_requirements(model, rows, 100)["cpu_memory_gb"] for rows in (10_000, 1_000_000))
        assert large > small > 0.3


def test_a_networks_memory_grows_with_its_batch_and_width():
    pytest.importorskip("torch", reason="networks need torch")
    estimates = [
        estimate_memory_requirements(ModelRegistry.create("gru", config), 10_000, 40)["cpu_memory_gb"]
        for config in ({"batch_size": 32}, {"batch_size": 2048}, {"batch_size": 2048, "hidden_size": 512})
    ]
    assert estimates == sorted(estimates)
    assert estimates[2] > estimates[0] + 0.1


def test_a_plan_of_a_network_tells_its_size_steps_and_time(container, config):
    pytest.importorskip("torch", reason="networks need torch")
    small = {"lookback": 8, "hidden_size": 8, "batch_size": 64, "windows_per_epoch": 640}
    plan = run_plan(config(model_name="gru", model=small), container)
    assert (plan["lookback"], plan["batch_size"], plan["batches_per_epoch"]) == (8, 64, 10)
    assert plan["seconds_at_most"] == pytest.approx(plan["seconds_per_epoch"] * 20, rel=0.2, abs=0.2)
    assert plan["parameters"] > 8 * 8
    assert any(note.startswith("preset small: windows of 8 bars, batches of 64") for note in plan["notes"])


def test_a_network_that_cannot_fit_is_refused_with_the_batch_that_would(container, config, monkeypatch):
    pytest.importorskip("torch", reason="networks need torch")
    monkeypatch.setattr(memory, "available_bytes", lambda: 1_000_000_000)
    with pytest.raises(ResourceError, match="fitting 'gru' needs about") as caught:
        Trainer(config(model_name="gru", model={"batch_size": 65536, "hidden_size": 512})).run(container)
    batch = int(caught.value.help.removeprefix("lower batch_size to "))
    assert 1 <= batch < 65536 and batch & (batch - 1) == 0


def test_a_plan_warns_of_more_columns_than_the_rows_can_carry(container, config):
    few = np.flatnonzero(container.part == 0)[::150]
    narrow = container.with_split(np.where(np.isin(np.arange(len(container)), few), 0, -1))
    plan = run_plan(config(feature_set="boosting_optimal"), narrow)
    assert any(note.startswith(f"{plan['rows_fit']} training rows for") for note in plan["notes"])
    assert plan["rows_fit"] < 10 * plan["features"]
