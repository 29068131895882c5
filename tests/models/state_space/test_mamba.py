from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch")

from encoders import check_encoder, first_change, windows
from torch.nn import functional

from ohlcv_factory.models.state_space.mamba import Mamba2Mixer, MambaConfig, MambaEncoder, MambaMixer

SMALL = {"lookback": 20, "d_model": 8, "d_state": 4, "d_conv": 3, "n_layers": 2}


def small(**config: Any) -> MambaEncoder:
    return MambaEncoder(MambaConfig(**{**SMALL, "dropout": 0.0, **config}), features=3)


@pytest.mark.parametrize("variant", ["mamba", "mamba2"])
def test_every_weight_learns_and_windows_stay_apart(variant: str) -> None:
    check_encoder(small(variant=variant), lookback=20, features=3)


@pytest.mark.parametrize("variant", ["mamba", "mamba2"])
def test_no_step_sees_a_later_bar(variant: str) -> None:
    assert first_change(small(variant=variant).eval().sequence, windows(2, 20, 3), 11) == 11


@pytest.mark.parametrize("bias", [MambaMixer(8, 4, 3, 2).dt_proj.bias, Mamba2Mixer(256, 4, 3, 2).dt_bias])
def test_first_step_sizes_lie_between_a_thousandth_and_a_tenth(bias: Any) -> None:
    steps = functional.softplus(bias.detach())
    assert 0.00099 < float(steps.min()) <= float(steps.max()) < 0.101


def test_mamba2_shares_a_decay_among_64_channels() -> None:
    assert Mamba2Mixer(256, 16, 4, 2).A_log.shape == (8,)
    assert Mamba2Mixer(12, 16, 4, 2).A_log.shape == (3,)  # 24 channels: heads of 8


def test_decay_skip_and_step_bias_take_no_weight_decay() -> None:
    encoder = small(n_layers=1)
    rest, undecayed = encoder.parameter_groups(learning_rate=0.01, weight_decay=0.1)
    mixer = encoder.layers[0].mixer
    assert {id(each) for each in undecayed["params"]} == {
        id(each) for each in (mixer.A_log, mixer.D, mixer.dt_proj.bias)
    }
    assert (undecayed["lr"], undecayed["weight_decay"], rest["weight_decay"]) == (0.01, 0.0, 0.1)


def test_defaults_are_those_of_the_specification() -> None:
    config = MambaConfig()
    assert (config.lookback, config.d_model, config.d_state, config.d_conv) == (256, 256, 16, 4)
    assert (config.expand, config.n_layers, config.dropout, config.variant) == (2, 6, 0.1, "mamba")
