"""What a network holds in memory while it is trained, asked of the network itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from ohlcv_factory.labels.classes import CLASS_COUNT
from ohlcv_factory.models._torch.classifier import Classifier
from ohlcv_factory.models._torch.loop import SCORING_BATCH

if TYPE_CHECKING:
    from ohlcv_factory.models._torch.model import TorchModel

COPIES = 5
"""Of each parameter: itself, its gradient, two moments of the optimizer, the best epoch's clone."""
COUNTED_WINDOWS = 4
WORKING = 1.6
"""Most memory of a training step per byte that autograd keeps: also gradients, an operation's own, and what malloc cannot
give back at once. Twelve networks on a CPU, in fp32 and bf16, took 1.2 to 1.8 (tests/training/test_memory_estimate.py)."""
WORKSPACE = 0.5
"""Share of the workspace of torch's LSTM, kept as plain bytes, that a step ever touches: measured."""
LEAST_WINDOWS = SCORING_BATCH // 4
"""A fit takes at least as much as a training step of so many windows: scoring a block of 256 does. A window that is only
scored took a quarter to a thirtieth of one that is trained on, in networks large enough to matter."""


@dataclass(frozen=True)
class Footprint:
    """Parameters of a network and the bytes that one window of a batch costs."""

    parameters: int
    fixed_bytes: int
    window_bytes: int
    least_windows: int = LEAST_WINDOWS
    """Windows of a training step that take as much as scoring does."""

    def batch_bytes(self, batch_size: int) -> int:
        """Bytes of one training step, or of scoring where that takes more."""
        return self.fixed_bytes + self.window_bytes * max(batch_size, self.least_windows)


def footprint(model: TorchModel, features: int) -> Footprint:
    """Parameters counted on the meta device, activations by what a forward pass of a few windows keeps on the CPU."""
    with torch.device("meta"):
        shapes = Classifier(model.build(features), CLASS_COUNT, model.config.dropout)
    parameters = sum(parameter.numel() for parameter in shapes.parameters())
    own = sum(parameter.nbytes for parameter in shapes.parameters())
    few, more = (_kept_bytes(model, features, count) for count in (COUNTED_WINDOWS, 2 * COUNTED_WINDOWS))
    window = WORKING * (more - few) / COUNTED_WINDOWS + 4 * model.lookback * features
    return Footprint(parameters, COPIES * own, int(window))


def _kept_bytes(model: TorchModel, features: int, windows: int) -> float:
    """Bytes that autograd keeps from a forward pass in the precision of the training, each storage once."""
    kept: dict[int, float] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes() * (WORKSPACE if tensor.dtype == torch.uint8 else 1.0)
        return tensor

    saved = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    on_cpu = replace(model.arithmetic(), device="cpu")
    with torch.random.fork_rng(devices=[]), saved, on_cpu.casting():
        torch.manual_seed(0)
        network = Classifier(model.build(features), CLASS_COUNT, model.config.dropout).train()
        scores = network(torch.randn(windows, model.lookback, features))
    del scores
    return sum(kept.values())
