"""What a network holds in memory while it is trained, asked of the network itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ohlcv_factory.labels.classes import CLASS_COUNT
from ohlcv_factory.models._torch.classifier import Classifier

if TYPE_CHECKING:
    from ohlcv_factory.models._torch.model import TorchModel

COPIES = 5
"""Of each parameter: itself, its gradient, two moments of the optimizer, the best epoch's clone."""
COUNTED_WINDOWS = 4
TEMPORARIES = 2.0
"""Working memory of a step per byte kept for the backward pass: gradients of activations and an operation's own."""


@dataclass(frozen=True)
class Footprint:
    """Parameters of a network and the bytes that one window of a batch costs."""

    parameters: int
    fixed_bytes: int
    window_bytes: int

    def batch_bytes(self, batch_size: int) -> int:
        """Bytes of one training step."""
        return self.fixed_bytes + self.window_bytes * batch_size


def footprint(model: TorchModel, features: int) -> Footprint:
    """Parameters counted on the meta device, activations by what a forward pass of a few windows keeps on the CPU."""
    with torch.device("meta"):
        shapes = Classifier(model.build(features), CLASS_COUNT, model.config.dropout)
    parameters = sum(parameter.numel() for parameter in shapes.parameters())
    own = sum(parameter.nbytes for parameter in shapes.parameters())
    few, more = (_kept_bytes(model, features, count) for count in (COUNTED_WINDOWS, 2 * COUNTED_WINDOWS))
    window = TEMPORARIES * (more - few) / COUNTED_WINDOWS + 4 * model.lookback * features
    return Footprint(parameters, COPIES * own, int(window))


def _kept_bytes(model: TorchModel, features: int, windows: int) -> int:
    """Bytes that autograd keeps from a forward pass, each storage once."""
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.random.fork_rng(devices=[]), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        torch.manual_seed(0)
        network = Classifier(model.build(features), CLASS_COUNT, model.config.dropout).train()
        scores = network(torch.randn(windows, model.lookback, features))
    del scores
    return sum(kept.values())
