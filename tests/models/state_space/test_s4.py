from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch")

from encoders import check_encoder, first_change, windows

from ohlcv_factory.errors import UsageError
from ohlcv_factory.models.state_space.s4 import S4Config, S4DKernel, S4Encoder


def small() -> S4Encoder:
    return S4Encoder(S4Config(lookback=20, d_model=8, d_state=6, n_layers=2, dropout=0.0), features=3)


def test_every_weight_learns_and_windows_stay_apart() -> None:
    check_encoder(small(), lookback=20, features=3)


def test_no_step_sees_a_later_bar() -> None:
    assert first_change(small().eval().sequence, windows(2, 20, 3), 11) == 11


def test_the_kernel_is_the_impulse_response_of_the_recurrence() -> None:
    kernel = S4DKernel(width=3, state=8).double()
    with torch.no_grad():
        step = kernel.log_dt.exp()[:, None]
        pole = torch.complex(-kernel.log_A_real.exp(), kernel.A_imag)
        decay = (pole * step).exp()
        state, answers = (decay - 1) / pole, []
        for _ in range(12):
            answers.append(2 * (torch.view_as_complex(kernel.C) * state).sum(-1).real)
            state = decay * state
        torch.testing.assert_close(kernel(12), torch.stack(answers, -1), atol=1e-12, rtol=1e-10)


def test_poles_and_step_sizes_learn_slowly_and_without_decay() -> None:
    encoder = small()
    rest, poles = encoder.parameter_groups(learning_rate=0.01, weight_decay=0.1)
    assert (rest["lr"], rest["weight_decay"], poles["lr"], poles["weight_decay"]) == (0.01, 0.1, 1e-3, 0.0)
    kernels = [layer.block.kernel for layer in encoder.layers]
    expected = [each for kernel in kernels for each in (kernel.log_dt, kernel.log_A_real, kernel.A_imag)]
    assert [id(each) for each in poles["params"]] == [id(each) for each in expected]
    assert len(rest["params"]) + len(poles["params"]) == len(list(encoder.parameters()))
    assert encoder.parameter_groups(learning_rate=1e-4, weight_decay=0.1)[1]["lr"] == 1e-4


def test_an_odd_number_of_states_is_refused() -> None:
    with pytest.raises(UsageError, match="d_state"):
        S4Config.parse({"d_state": 7})
