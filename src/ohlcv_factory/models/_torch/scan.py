"""Linear recurrences over time, fast on a CPU: the selective scans of Mamba and Mamba-2, the convolution of S4."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from ohlcv_factory.runtime.packages import is_installed

CHUNK = 16
"""Steps between two states that the forward pass keeps; the backward pass recomputes the ones between."""


def selective_scan(u: Tensor, step: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
    """The recurrence of Mamba (Gu & Dao 2023), `(batch, time, channels)`.

    h_t = exp(step_t A) h_{t-1} + step_t u_t B_t and y_t = <h_t, C_t>, from h = 0, for each channel. `u` and the positive
    `step` are `(batch, time, channels)`, the negative `A` is `(channels, state)`, `B` and `C` are `(batch, time, state)`.
    Runs in the type of `A`, under autocast too (which leaves in-place operations alone); on a CUDA device by mamba_ssm's
    kernel where that is installed.
    """
    if u.is_cuda and is_installed("mamba_ssm"):
        return kernel_scan(u, step, A, B, C)
    return _SelectiveScan.apply(*(each.to(A.dtype) for each in (u, step, A, B, C)))


def kernel_scan(u: Tensor, step: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
    """The same by mamba_ssm's CUDA kernel, which wants time last."""
    from mamba_ssm.ops.selective_scan_interface import selective_scan_fn

    by_channel = (each.transpose(1, 2).contiguous() for each in (u, step, B, C))
    u, step, B, C = by_channel
    return selective_scan_fn(u, step, A, B, C).transpose(1, 2)


class _SelectiveScan(torch.autograd.Function):
    """One step at a time over all batches, channels and states at once, so that the state stays in the cache.

    Autograd would keep every state of the window; this keeps one in `CHUNK` and recomputes the rest, and its backward
    pass is written out, right for steps of any size. On one thread, 64 windows of 256 bars with 16 states, forward and
    backward: 0.17 s with 128 channels and 0.81 s with 512, the plain loop under autograd 1.2 s and 13 s.
    """

    @staticmethod
    def forward(ctx: Any, u: Tensor, step: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
        u, step, B, C = (_time_first(each) for each in (u, step, B, C))
        x, y = u * step, torch.empty_like(u)
        state = u.new_zeros(*u.shape[1:], A.shape[1])
        kept, decay = [], torch.empty_like(state)
        for t in range(len(u)):
            if t % CHUNK == 0:
                kept.append(state.clone())
            _advance(state, decay, step[t], x[t], A, B[t], out=state)
            torch.bmm(state, C[t].unsqueeze(-1), out=y[t].unsqueeze(-1))
        ctx.save_for_backward(u, step, A, B, C, x, *kept)
        return y.transpose(0, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:
        u, step, A, B, C, x, *kept = ctx.saved_tensors
        grad = _time_first(grad)
        pull = _Pull(step, A, B, C, x)
        states, decays = (u.new_empty(size, *kept[0].shape) for size in (CHUNK + 1, CHUNK))
        for chunk in range(len(kept) - 1, -1, -1):
            steps = range(chunk * CHUNK, min(len(u), (chunk + 1) * CHUNK))
            states[0].copy_(kept[chunk])
            for i, t in enumerate(steps):
                _advance(states[i], decays[i], step[t], x[t], A, B[t], out=states[i + 1])
            for i, t in reversed(list(enumerate(steps))):
                pull.back(t, grad[t], states[i], decays[i], states[i + 1])
        to_u, to_step = pull.x * step, pull.step.addcmul_(pull.x, u)
        return (
            to_u.transpose(0, 1),
            to_step.transpose(0, 1),
            pull.A.sum(0),
            pull.B.transpose(0, 1),
            pull.C.transpose(0, 1),
        )


def _time_first(each: Tensor) -> Tensor:
    return each.transpose(0, 1).contiguous()


def _advance(state: Tensor, decay: Tensor, step: Tensor, x: Tensor, A: Tensor, B: Tensor, *, out: Tensor) -> None:
    """One step of every state `(batch, channels, state)`, into `out`; `decay` is filled with exp(step A)."""
    torch.mul(step.unsqueeze(-1), A, out=decay).exp_()
    torch.mul(state, decay, out=out).baddbmm_(x.unsqueeze(-1), B.unsqueeze(1))


class _Pull:
    """The gradients so far, while the backward pass walks from the last step to the first; time first."""

    def __init__(self, step: Tensor, A: Tensor, B: Tensor, C: Tensor, x: Tensor) -> None:
        self.inputs = (step, A, B, C, x)
        self.x, self.step, self.B, self.C = (torch.empty_like(each) for each in (x, step, B, C))
        self.state = x.new_zeros(*x.shape[1:], A.shape[1])
        self.A, self.product = torch.zeros_like(self.state), torch.empty_like(self.state)

    def back(self, t: int, grad: Tensor, before: Tensor, decay: Tensor, after: Tensor) -> None:
        """Take in step t: its gradient `(batch, channels)`, the states before and after it, and its decay."""
        step, A, B, C, x = self.inputs
        torch.bmm(grad.unsqueeze(1), after, out=self.C[t].unsqueeze(1))
        self.state.baddbmm_(grad.unsqueeze(-1), C[t].unsqueeze(1))
        torch.bmm(x[t].unsqueeze(1), self.state, out=self.B[t].unsqueeze(1))
        torch.bmm(self.state, B[t].unsqueeze(-1), out=self.x[t].unsqueeze(-1))
        self.state.mul_(decay)
        torch.mul(before, self.state, out=self.product)
        self.A.addcmul_(self.product, step[t].unsqueeze(-1))
        torch.sum(self.product.mul_(A), -1, out=self.step[t])


def head_scan(x: Tensor, step: Tensor, A: Tensor, B: Tensor, C: Tensor, *, chunk: int = 32) -> Tensor:
    """The recurrence of Mamba-2 (Dao & Gu 2024): one decay per head, so that a chunk is a masked matrix product.

    h_t = exp(step_t A) h_{t-1} + step_t x_t B_t' and y_t = h_t C_t for each head. `x` is `(batch, time, heads, width)`,
    `step` is `(batch, time, heads)`, the negative `A` is `(heads,)`, `B` and `C` are `(batch, time, state)`.
    """
    time = x.shape[1]
    chunk = min(chunk, time)
    missing = -time % chunk  # steps of size 0 change no state
    x, step = functional.pad(x, (0, 0, 0, 0, 0, missing)), functional.pad(step, (0, 0, 0, missing))
    B, C = functional.pad(B, (0, 0, 0, missing)), functional.pad(C, (0, 0, 0, missing))
    # (batch, time, ...) -> (batch, chunk, ..., time within it)
    scaled = (x * step.unsqueeze(-1)).unflatten(1, (-1, chunk)).transpose(2, 3)
    log_decay = (step * A).unflatten(1, (-1, chunk)).transpose(2, 3).cumsum(-1)
    B, C = B.unflatten(1, (-1, chunk)), C.unflatten(1, (-1, chunk))
    within = _decay_between(log_decay) * (C @ B.transpose(-1, -2)).unsqueeze(2) @ scaled
    left = (log_decay[..., -1:] - log_decay).exp().unsqueeze(-1)  # what of each step is left at the chunk's end
    added = B.transpose(-1, -2).unsqueeze(2) @ (scaled * left)  # (batch, chunk, head, state, width)
    before = _states_before(log_decay[..., -1].exp(), added)
    across = log_decay.exp().unsqueeze(-1) * (C.unsqueeze(2) @ before)
    return (within + across).transpose(2, 3).flatten(1, 2)[:, :time]


def _decay_between(log_decay: Tensor) -> Tensor:
    """Decay from step j to step i >= j of a chunk, `(..., i, j)`; 0 for later j."""
    steps = log_decay.shape[-1]
    later = torch.ones(steps, steps, dtype=torch.bool, device=log_decay.device).triu(1)
    return (log_decay.unsqueeze(-1) - log_decay.unsqueeze(-2)).masked_fill(later, float("-inf")).exp()


def _states_before(decay: Tensor, added: Tensor) -> Tensor:
    """The state at each chunk's start, from every chunk's decay `(batch, chunk, head)` and what it adds."""
    state, states = torch.zeros_like(added[:, 0]), []
    for i in range(added.shape[1]):
        states.append(state)
        state = decay[:, i, :, None, None] * state + added[:, i]
    return torch.stack(states, 1)


TOEPLITZ_STEPS = 384
"""Longest window that a matrix product convolves faster than the Fourier transform on a CPU (at 256 by 1.3, at 512 slower)."""


def causal_convolution(x: Tensor, kernel: Tensor) -> Tensor:
    """y_t = sum over s <= t of kernel_{t-s} x_s for each channel: `x (batch, channels, time)`, `kernel (channels, time)`."""
    if x.shape[-1] <= TOEPLITZ_STEPS:
        return toeplitz_convolution(x, kernel)
    return fourier_convolution(x, kernel)


def toeplitz_convolution(x: Tensor, kernel: Tensor) -> Tensor:
    """The convolution as one matrix product per channel."""
    time = x.shape[-1]
    lags = functional.pad(kernel, (time - 1, 0)).unfold(-1, time, 1)  # [c, t, m] = kernel[c, t + m - (time - 1)]
    return (x.flip(-1).transpose(0, 1) @ lags.transpose(1, 2)).transpose(0, 1)


def fourier_convolution(x: Tensor, kernel: Tensor) -> Tensor:
    """The convolution as a product of Fourier transforms, padded so that the end does not wrap to the start."""
    time = x.shape[-1]
    spectrum = torch.fft.rfft(x, 2 * time) * torch.fft.rfft(kernel, 2 * time)
    return torch.fft.irfft(spectrum, 2 * time)[..., :time]
