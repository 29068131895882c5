"""Memory is told for every network by the network, and a fit that cannot fit is refused with the batch that would."""

from __future__ import annotations

import pytest

from ohlcv_factory.errors import ResourceError
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.runtime import memory
from ohlcv_factory.training.memory_estimate import estimate_memory_requirements, refuse_too_large

pytest.importorskip("torch")
NETWORKS = [name for name, entry in ModelRegistry.entries().items() if entry.extra == "neural"]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_answers_and_a_larger_batch_takes_more(name):
    few, many = (
        estimate_memory_requirements(model.family, 10_000, 12, model)
        for model in (ModelRegistry.create(name, {"batch_size": size, "device": "cpu"}) for size in (8, 1024))
    )
    assert many["cpu_memory_gb"] - few["cpu_memory_gb"] == pytest.approx(1016 * few["gb_per_window"])
    assert few["gb_per_window"] > 0
    assert few["parameters"] > 0


def test_the_parameters_are_those_of_the_network():
    model = ModelRegistry.create("gru", {"hidden_size": 4, "num_layers": 1, "device": "cpu"})
    first_layer = 3 * (4 * 12 + 4 * 4 + 4 + 4)  # gates x (input, state, two biases)
    head = 3 * 4 + 3
    parameters = estimate_memory_requirements("neural", 100, 12, model)["parameters"]
    assert parameters - first_layer - head in (0, 8)  # and the norm of the last state, where there is one


def test_a_network_that_cannot_fit_is_refused_with_the_batch_size_that_would(monkeypatch):
    model = ModelRegistry.create("tcn", {"batch_size": 100_000, "device": "cpu"})
    monkeypatch.setattr(memory, "available_bytes", lambda: 2_000_000_000)
    with pytest.raises(ResourceError, match=r"fitting 'tcn' needs about .* GB, 2\.0 GB are free") as refused:
        refuse_too_large(model, 1000, 12)
    advised = int(refused.value.help.removeprefix("lower batch_size to "))
    refuse_too_large(ModelRegistry.create("tcn", {"batch_size": advised, "device": "cpu"}), 1000, 12)
    with pytest.raises(ResourceError):
        refuse_too_large(ModelRegistry.create("tcn", {"batch_size": advised + 2, "device": "cpu"}), 1000, 12)
