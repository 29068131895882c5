"""Row 12: one Mamba block, forward and backward, windows of 256 bars, one thread: against mambapy and transformers.

mambapy runs its parallel scan on a batch of 64. transformers' path without the kernel slices every step out of one large
tensor, which makes its backward quadratic in the length: it gets a batch of 8, and so do we beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import Bench, Line, Work, against, serve

LENGTH, WIDTH, STATE, KERNEL, EXPAND = 256, 64, 16, 4, 2
BATCH, SMALL_BATCH = 64, 8
ENVIRONMENT = "torch"


def lines(bench: Bench) -> list[Line]:
    """The lines of this row."""
    cases, peers = ["factory", "factory_small"], ["mambapy", "transformers"]
    found = bench.take_turns(__file__, cases, peers=peers, environment=ENVIRONMENT)
    work = "Mamba block forward + backward, batch"
    return [
        against(12, f"{work} {BATCH}", found["factory"], ">= 5 x", "mambapy", found["mambapy"]),
        against(12, f"{work} {SMALL_BATCH}", found["factory_small"], ">= 40 x", "transformers", found["transformers"]),
    ]


def case(build: Callable[[], Any], batch: int) -> Callable[[Path], Work]:
    """A case: gradients of a block's input and parameters."""

    def prepared(folder: Path) -> Work:
        import torch

        torch.set_num_threads(1)
        torch.manual_seed(0)
        block, x = build(), torch.randn(batch, LENGTH, WIDTH, requires_grad=True)

        def work() -> Any:
            block(x).square().mean().backward()
            return lambda: {"parameters": sum(parameter.numel() for parameter in block.parameters())}

        return work

    return prepared


def ours() -> Any:
    """The factory's block."""
    from ohlcv_factory.models.state_space.mamba import MambaMixer

    return MambaMixer(WIDTH, STATE, KERNEL, EXPAND)


def mambapy() -> Any:
    """mambapy's block with its parallel scan."""
    from mambapy.mamba import MambaBlock, MambaConfig

    return MambaBlock(MambaConfig(WIDTH, n_layers=1, d_state=STATE, expand_factor=EXPAND, d_conv=KERNEL, pscan=True))


def transformers() -> Any:
    """The block of transformers; without its kernels it takes the path in plain torch."""
    from transformers import MambaConfig
    from transformers.models.mamba.modeling_mamba import MambaMixer

    sizes = {"hidden_size": WIDTH, "state_size": STATE, "conv_kernel": KERNEL, "expand": EXPAND}
    return MambaMixer(MambaConfig(**sizes, num_hidden_layers=1), layer_idx=0)


if __name__ == "__main__":
    serve(
        {
            "factory": case(ours, BATCH),
            "factory_small": case(ours, SMALL_BATCH),
            "mambapy": case(mambapy, BATCH),
            "transformers": case(transformers, SMALL_BATCH),
        }
    )
