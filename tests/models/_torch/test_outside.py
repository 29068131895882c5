"""Networks and loop on two public sets that the rest of this project has never seen (UCR/UEA archive).

One recipe for all; it was chosen by four-fold cross-validation inside the train parts. A series of 100 steps is cut into
windows as bars are, and answers with the mean over its windows.
"""

from __future__ import annotations

from statistics import median
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the networks need torch")

from ucr import parts

from ohlcv_factory.dataset.windows import WindowSource
from ohlcv_factory.models._torch.classifier import Classifier
from ohlcv_factory.models._torch.device import Arithmetic
from ohlcv_factory.models._torch.loop import Examples, Plan, logits, train
from ohlcv_factory.models._torch.schedule import Schedule
from ohlcv_factory.models.base import SilentSink
from ohlcv_factory.models.neural.gru import GRUConfig, GRUEncoder
from ohlcv_factory.models.neural.tcn import TCNConfig, TCNEncoder
from ohlcv_factory.models.state_space.mamba import MambaConfig, MambaEncoder
from ohlcv_factory.models.transformer.itransformer import ITransformerConfig, ITransformerEncoder
from ohlcv_factory.models.transformer.patchtst import PatchTSTConfig, PatchTSTEncoder

EPOCHS, DROPOUT = 30, 0.1
LOOKBACK = {"BasicMotions": 50, "ItalyPowerDemand": 24}
STEP = 5
"""Steps from one window of a series to the next."""
ENCODERS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "tcn": (TCNConfig, TCNEncoder, {"num_channels": (32,) * 4}),
    "gru": (GRUConfig, GRUEncoder, {"hidden_size": 64, "num_layers": 1}),
    "patchtst": (
        PatchTSTConfig,
        PatchTSTEncoder,
        {"d_model": 64, "n_heads": 4, "d_ff": 128, "n_layers": 2, "patch_size": 8, "stride": 4},
    ),
    "itransformer": (
        ITransformerConfig,
        ITransformerEncoder,
        {"d_model": 64, "n_heads": 4, "d_ff": 128, "e_layers": 2},
    ),
    "mamba": (MambaConfig, MambaEncoder, {"d_model": 32, "n_layers": 2}),
}


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("data", LOOKBACK)
def test_the_median_of_three_seeds_is_right_on_95_of_100_series(data: str, name: str) -> None:
    rows, unseen = (cut(part, LOOKBACK[data]) for part in parts(data))
    series = len(parts(data)[1])
    scores = [accuracy(fitted(name, rows, seed), unseen, series) for seed in range(3)]
    print(f"{data} {name}: {scores}")
    assert median(scores) >= 0.95


def cut(whole: Examples, lookback: int) -> Examples:
    """Windows of `lookback` steps inside each series, with its class."""
    length = whole.windows.lookback
    offsets = np.arange(lookback - 1, length, STEP)
    ends = (np.arange(len(whole))[:, None] * length + offsets).ravel()
    windows = WindowSource(whole.windows.table.numpy(), ends, lookback).torch()
    return Examples(windows, *(each.repeat_interleave(len(offsets)) for each in (whole.y, whole.weight)))


def fitted(name: str, rows: Examples, seed: int) -> Classifier:
    config, encoder, sizes = ENCODERS[name]
    torch.manual_seed(seed)
    settings = config(lookback=rows.windows.lookback, dropout=DROPOUT, **sizes)
    network = Classifier(encoder(settings, rows.windows.table.shape[1]), int(rows.y.max()) + 1, DROPOUT)
    train(network, rows, None, plan(seed), SilentSink())
    return network


def plan(seed: int) -> Plan:
    return Plan(
        epochs=EPOCHS,
        batch_size=16,
        learning_rate=2e-3,
        weight_decay=0.01,
        optimizer="adamw",
        schedule=Schedule("cosine", EPOCHS, 5, 5),
        gradient_clip=1.0,
        label_smoothing=0.0,
        patience=EPOCHS,
        min_delta=0.0,
        windows_per_epoch=None,
        seconds=None,
        arithmetic=Arithmetic("cpu", "fp32"),
        seed=seed,
        compile=False,
    )


def accuracy(network: Classifier, rows: Examples, series: int) -> float:
    """Share of series whose mean probability over their windows is highest for the right class."""
    probabilities = logits(network, rows, torch.arange(len(rows))).softmax(1).unflatten(0, (series, -1))
    return float((probabilities.mean(1).argmax(1) == rows.y.unflatten(0, (series, -1))[:, 0]).double().mean())
