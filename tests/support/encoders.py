"""What every encoder promises, as assertions that each network's test calls."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

TOLERANCE = {"atol": 2e-6, "rtol": 1e-5}


def windows(batch: int, lookback: int, features: int, seed: int = 0) -> Tensor:
    """Random walks that stand for standardised features, `(batch, lookback, features)`."""
    steps = torch.randn(batch, lookback, features, generator=torch.Generator().manual_seed(seed))
    return steps.cumsum(1) / lookback**0.5


def check_encoder(encoder: Any, lookback: int, features: int) -> None:
    """Shape, gradients of every parameter, no influence of a window on its neighbours, copies that answer alike."""
    x = windows(5, lookback, features)
    check_shape_and_gradients(encoder, x)
    check_batch_independence(encoder.eval(), x)
    check_copies(encoder, x)


def check_shape_and_gradients(encoder: Any, x: Tensor) -> None:
    encoder.train()
    code = encoder(x)
    assert code.shape == (len(x), encoder.width)
    (code * torch.linspace(0.5, 1.5, encoder.width)).square().sum().backward()
    silent = [name for name, p in encoder.named_parameters() if _is_silent(p)]
    # What all keys share moves no soft-max: its gradient is rounding.
    assert [name for name in silent if not name.endswith("attention.key.bias")] == []


def _is_silent(parameter: Tensor) -> bool:
    return parameter.grad is None or not bool(parameter.grad.abs().max() > 0)


def check_batch_independence(encoder: Any, x: Tensor) -> None:
    """Each window alone gives what it gives in this batch; beside other neighbours in its place, the same bytes."""
    with torch.no_grad():
        together = encoder(x)
        alone = torch.cat([encoder(window[None]) for window in x])
        others = torch.cat([x[:1], 50 * x.flip(1)[1:]])
        torch.testing.assert_close(alone, together, **TOLERANCE)
        assert torch.equal(encoder(others)[0], together[0])


def check_copies(encoder: Any, x: Tensor) -> None:
    """A copy with the weights of a safetensors file gives the same bytes; on the meta device sizes come out alike."""
    copy = deepcopy(encoder)
    with torch.no_grad():
        for parameter in copy.parameters():
            parameter.zero_()
        copy.load_state_dict(safetensors.torch.load(safetensors.torch.save(encoder.state_dict())))
        assert torch.equal(copy(x), encoder(x))
        assert copy.to("meta")(x.to("meta")).shape == (len(x), encoder.width)


def first_change(sequence: Any, x: Tensor, step: int) -> int:
    """The first step of `sequence(x)` that notices a change of the input at `step`; both are `(batch, time, ...)`."""
    changed = x.clone()
    changed[:, step] += 3.0
    with torch.no_grad():
        moved = (sequence(changed) - sequence(x)).abs().flatten(2).amax((0, 2))
    return int(torch.nonzero(moved > 0)[0])
