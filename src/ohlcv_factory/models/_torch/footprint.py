"""How much memory one training step of a network holds, asked from the network itself on torch's meta device."""

from __future__ import annotations

import torch
from torch import Tensor, nn

COPIES_OF_WEIGHTS = 4
"""The weights, their gradients and Adam's two moments."""


def step_bytes(network: nn.Module, windows: tuple[int, int, int]) -> int:
    """Bytes held at the end of the forward pass of one batch `(batch, lookback, features)`: nothing is computed.

    `network` lies on the meta device. Counted are the batch, what autograd keeps for the backward pass, and the weights
    with what the optimizer adds.
    """
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage._cdata] = storage.nbytes()
        return tensor

    batch = torch.empty(windows, device="meta")
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logits = network(batch)  # its graph keeps the tensors alive, so that no storage is counted under two names
    weights = sum(parameter.numel() * parameter.element_size() for parameter in network.parameters())
    return COPIES_OF_WEIGHTS * weights + batch.untyped_storage().nbytes() + sum(kept.values()) + logits.nbytes


def parameter_count(network: nn.Module) -> int:
    """Numbers that training changes."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
