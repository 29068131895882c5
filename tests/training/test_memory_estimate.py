"""Memory is told for every network by the network, it is what a fit takes, and a fit that cannot fit is refused."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from ohlcv_factory.errors import ResourceError
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.runtime import memory
from ohlcv_factory.training.memory_estimate import (
    BASE_GB,
    TORCH_GB,
    estimate_memory_requirements,
    refuse_too_large,
)

torch = pytest.importorskip("torch")
NETWORKS = [name for name, entry in ModelRegistry.entries().items() if entry.extra == "neural"]
SMALLEST_STEP = 64
"""Windows of a training step that take as much as scoring 256."""


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_answers_and_a_larger_batch_takes_more(name):
    few, many = (
        estimate_memory_requirements(model.family, 10_000, 12, model)
        for model in (ModelRegistry.create(name, {"batch_size": size, "device": "cpu"}) for size in (128, 1024))
    )
    assert many["cpu_memory_gb"] - few["cpu_memory_gb"] == pytest.approx(896 * few["gb_per_window"])
    assert few["gb_per_window"] > 0
    assert few["parameters"] > 0


def test_the_parameters_are_those_of_the_network():
    model = ModelRegistry.create("gru", {"hidden_size": 4, "num_layers": 1, "device": "cpu"})
    first_layer = 3 * (4 * 12 + 4 * 4 + 4 + 4)  # gates x (input, state, two biases)
    head = 3 * 4 + 3
    parameters = estimate_memory_requirements("neural", 100, 12, model)["parameters"]
    assert parameters - first_layer - head in (0, 8)  # and the norm of the last state, where there is one


def network(**settings):
    return ModelRegistry.create("tcn", {"device": "cpu", "windows_per_epoch": None, **settings})


def test_a_batch_is_no_larger_than_the_rows_or_the_windows_of_an_epoch():
    rows, drawn, whole = (
        estimate_memory_requirements("neural", rows, 12, network(batch_size=100_000, windows_per_epoch=windows))
        for rows, windows in ((1000, None), (5000, 1000), (5000, None))
    )
    assert (rows["windows"], drawn["windows"], whole["windows"]) == (1000, 1000, 5000)


def test_scoring_takes_as_much_as_a_small_step():
    one, small, larger = (
        estimate_memory_requirements("neural", 5000, 12, network(batch_size=size))["cpu_memory_gb"]
        for size in (1, SMALLEST_STEP, SMALLEST_STEP + 1)
    )
    assert one == small < larger


def test_bf16_takes_less_than_fp32():
    full, half = (
        estimate_memory_requirements("neural", 5000, 12, network(precision=name))["gb_per_window"]
        for name in ("fp32", "bf16")
    )
    assert 0.4 * full < half < 0.7 * full


def test_a_network_that_cannot_fit_is_refused_with_the_batch_size_that_would(monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 2_000_000_000)
    with pytest.raises(ResourceError, match=r"fitting 'tcn' needs about .* GB, 2\.0 GB are free") as refused:
        refuse_too_large(network(batch_size=100_000), 100_000, 12)
    advised = int(refused.value.help.removeprefix("lower batch_size to "))
    refuse_too_large(network(batch_size=advised), 100_000, 12)
    with pytest.raises(ResourceError):
        refuse_too_large(network(batch_size=advised + 2), 100_000, 12)


def test_a_card_that_is_too_small_for_the_steps_is_refused_too(monkeypatch):
    from ohlcv_factory.models._torch.device import Arithmetic
    from ohlcv_factory.models.networks import TorchModel

    monkeypatch.setattr(TorchModel, "arithmetic", lambda self: Arithmetic("cuda", "fp32"))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (500_000_000, 8_000_000_000))
    estimate = estimate_memory_requirements("neural", 100_000, 12, network(batch_size=64))
    assert (estimate["gpu_free_gb"], estimate["cpu_memory_gb"]) == (0.5, pytest.approx(0.6 + 12 * 12 * 1e5 / 1e9))
    refuse_too_large(network(batch_size=64), 100_000, 12)
    with pytest.raises(ResourceError, match=r"needs about .* GB on the card, 0\.5 GB are free") as refused:
        refuse_too_large(network(batch_size=100_000), 100_000, 12)
    assert re.fullmatch(r"lower batch_size to \d+", refused.value.help)


def test_where_no_batch_size_fits_the_refusal_says_so(monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 600_000_000)
    with pytest.raises(ResourceError) as refused:
        refuse_too_large(network(), 1000, 12)
    assert refused.value.help.endswith("no batch_size fits")


PEAK = """
import json, sys
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.runtime.memory import peak_bytes
from ohlcv_factory.testing.models import planted_windows

name, settings, features, fits = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "fit"
model = ModelRegistry.create(name, settings, threads=2)
batch = model.config.batch_size
rows = planted_windows(model.lookback, 2 * batch + 600, features)
first = ModelRegistry.create(name, {**settings, "batch_size": 4}, threads=2)
first.fit(rows.take(slice(0, 8)), rows.take(slice(8, 16)))  # loads what torch loads at the first step
if fits:
    model.fit(rows.take(slice(0, 2 * batch)), rows.take(slice(2 * batch, None)))
print(peak_bytes())
"""
ONE_EPOCH = {"device": "cpu", "precision": "fp32", "max_epochs": 1, "windows_per_epoch": None}
"""fp32, so that the figures of one machine are those of another: `auto` is bf16 where the CPU has AMX."""
FITS = {
    "mlp": ({"batch_size": 8192}, 50),
    "lstm": ({"batch_size": 1024}, 50),
    "gru": ({"batch_size": 1024}, 50),
    "tcn": ({"batch_size": 256}, 50),
    "tcn in bf16": ({"batch_size": 512, "precision": "bf16"}, 50),
    "nbeats": ({"batch_size": 4096}, 5),
    "nhits": ({"batch_size": 4096}, 5),
    "patchtst": ({"batch_size": 128}, 15),
    "tft": ({"batch_size": 128}, 15),
    "itransformer": ({"batch_size": 128}, 50),
    "timesnet": ({"batch_size": 512}, 15),
    "timesnet in small batches": ({"batch_size": 16}, 15),
    "dlinear": ({"batch_size": 16384}, 50),
    "mamba": ({"batch_size": 256}, 50),
    "mamba of the second kind": ({"batch_size": 256, "variant": "mamba2"}, 50),
    "s4": ({"batch_size": 512}, 50),
}
"""Settings and features of fits that take 0.1 to 0.6 GB beside a process that has everything loaded."""


def peak(name, settings, features, *, fits):
    arguments = (name, json.dumps(settings), str(features), "fit" if fits else "build")
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", PEAK, *arguments], capture_output=True, check=True)
    return int(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("case", FITS)
def test_the_estimate_is_what_a_fit_takes_beside_a_process_that_only_builds(case):
    own, features = FITS[case]
    name, settings = case.split()[0], {**ONE_EPOCH, **own}
    taken = peak(name, settings, features, fits=True) - peak(name, settings, features, fits=False)
    model = ModelRegistry.create(name, settings)
    estimate = estimate_memory_requirements(model.family, 2 * own["batch_size"], features, model)
    estimated = 1e9 * (estimate["cpu_memory_gb"] - BASE_GB - TORCH_GB)
    print(f"{case}: measured {taken / 1e6:.0f} MB, estimated {estimated / 1e6:.0f} MB, ratio {estimated / taken:.2f}")
    assert 0.6 < estimated / taken < 1.7
