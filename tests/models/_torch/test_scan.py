from __future__ import annotations

import sys
from types import ModuleType

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch")

from torch import Tensor

from ohlcv_factory.models._torch.scan import (
    CHUNK,
    causal_convolution,
    fourier_convolution,
    head_scan,
    kernel_scan,
    selective_scan,
    toeplitz_convolution,
)


def scan_inputs(batch: int, time: int, channels: int, state: int, largest_step: float = 0.5) -> list[Tensor]:
    """u, step, A, B and C in float64, ready for gradients."""
    shapes = [
        (batch, time, channels),
        (batch, time, channels),
        (channels, state),
        (batch, time, state),
        (batch, time, state),
    ]
    u, step, A, B, C = (torch.randn(shape, dtype=torch.float64) for shape in shapes)
    step, A = step.sigmoid() * largest_step, -A.exp() - 0.1
    return [each.detach().requires_grad_() for each in (u, step, A, B, C)]


def loop(u: Tensor, step: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
    """The recurrence as it is written, under autograd."""
    state, answers = torch.zeros(len(u), *A.shape, dtype=u.dtype), []
    for t in range(u.shape[1]):
        state = torch.exp(step[:, t, :, None] * A) * state + (step[:, t] * u[:, t])[..., None] * B[:, t, None, :]
        answers.append((state * C[:, t, None, :]).sum(-1))
    return torch.stack(answers, 1)


def gradients(scan: object, inputs: list[Tensor]) -> tuple[Tensor, ...]:
    return torch.autograd.grad(scan(*inputs).square().sum(), inputs)


@pytest.mark.parametrize("time", [1, CHUNK - 1, CHUNK, 2 * CHUNK + 3])
@pytest.mark.parametrize("largest_step", [0.5, 50.0])
def test_outputs_and_gradients_equal_the_plain_loop(time: int, largest_step: float) -> None:
    inputs = scan_inputs(3, time, 4, 5, largest_step)
    torch.testing.assert_close(selective_scan(*inputs), loop(*inputs), atol=1e-12, rtol=1e-12)
    for ours, plain in zip(gradients(selective_scan, inputs), gradients(loop, inputs), strict=True):
        torch.testing.assert_close(ours, plain, atol=1e-10, rtol=1e-10)


def test_the_written_out_gradient_equals_finite_differences() -> None:
    assert torch.autograd.gradcheck(selective_scan, scan_inputs(2, CHUNK + 2, 2, 2))


def test_one_channel_by_hand() -> None:
    halving = torch.tensor([[-0.6931471805599453]], dtype=torch.float64)
    series = torch.tensor([[[8.0], [0.0], [4.0]]], dtype=torch.float64)
    ones = torch.ones(1, 3, 1, dtype=torch.float64)
    answers = selective_scan(series, ones, halving, ones, ones)
    torch.testing.assert_close(answers, torch.tensor([[[8.0], [4.0], [6.0]]], dtype=torch.float64))


def test_under_autocast_the_scan_runs_in_the_type_of_its_decay() -> None:
    u, step, A, B, C = (each.detach().float() for each in scan_inputs(2, 20, 3, 4))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = selective_scan(u.bfloat16(), step.bfloat16(), A, B.bfloat16(), C.bfloat16())
    assert half.dtype == torch.float32
    rounded = [each.bfloat16().float() for each in (u, step)] + [A] + [each.bfloat16().float() for each in (B, C)]
    assert torch.equal(half, selective_scan(*rounded))


def test_the_cuda_kernel_gets_time_last_and_answers_time_first(monkeypatch: pytest.MonkeyPatch) -> None:
    def selective_scan_fn(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
        return loop(*(each.transpose(1, 2) for each in (u, delta)), A, B.transpose(1, 2), C.transpose(1, 2)).transpose(
            1, 2
        )

    interface = ModuleType("mamba_ssm.ops.selective_scan_interface")
    interface.selective_scan_fn = selective_scan_fn
    for name in ("mamba_ssm", "mamba_ssm.ops"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, interface.__name__, interface)
    inputs = scan_inputs(2, 9, 3, 4)
    assert torch.equal(kernel_scan(*inputs), loop(*inputs))


@pytest.mark.parametrize(("time", "chunk"), [(1, 32), (7, 32), (8, 4), (11, 4)])
def test_the_scan_by_heads_equals_the_plain_loop_with_one_decay_per_head(time: int, chunk: int) -> None:
    heads, width, state = 2, 3, 4
    x, B, C = torch.randn(2, time, heads, width), torch.randn(2, time, state), torch.randn(2, time, state)
    step, A = torch.rand(2, time, heads) * 3, -torch.rand(heads) - 0.1
    x, step, A, B, C = (each.double().requires_grad_() for each in (x, step, A, B, C))

    def as_channels(x: Tensor, step: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
        decay = A.repeat_interleave(width)[:, None].expand(-1, state)
        return loop(x.flatten(2), step.repeat_interleave(width, -1), decay, B, C).unflatten(-1, (heads, width))

    def by_head(*inputs: Tensor) -> Tensor:
        return head_scan(*inputs, chunk=chunk)

    inputs = [x, step, A, B, C]
    torch.testing.assert_close(by_head(*inputs), as_channels(*inputs), atol=1e-12, rtol=1e-12)
    for ours, plain in zip(gradients(by_head, inputs), gradients(as_channels, inputs), strict=True):
        torch.testing.assert_close(ours, plain, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("convolution", [causal_convolution, toeplitz_convolution, fourier_convolution])
def test_an_impulse_answers_with_the_kernel_from_its_step_on(convolution: object) -> None:
    impulse, kernel = torch.zeros(1, 2, 5), torch.tensor([[1.0, 2, 3, 4, 5], [1, 0, 0, 0, 9]])
    impulse[0, :, 2] = 1.0
    expected = torch.tensor([[[0.0, 0, 1, 2, 3], [0, 0, 1, 0, 0]]])
    torch.testing.assert_close(convolution(impulse, kernel), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("time", [383, 385])
def test_long_and_short_windows_are_convolved_alike(time: int) -> None:
    x, kernel = torch.randn(2, 3, time, dtype=torch.float64), torch.randn(3, time, dtype=torch.float64)
    torch.testing.assert_close(toeplitz_convolution(x, kernel), fourier_convolution(x, kernel), atol=1e-10, rtol=0)
    torch.testing.assert_close(causal_convolution(x, kernel), fourier_convolution(x, kernel), atol=1e-10, rtol=0)
