from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch")

from encoders import check_batch_independence, check_encoder, windows

from ohlcv_factory.errors import UsageError
from ohlcv_factory.models.transformer.patchtst import PatchTSTConfig, PatchTSTEncoder

SMALL = {"lookback": 20, "d_model": 8, "n_heads": 2, "n_layers": 2, "d_ff": 12, "patch_size": 6, "stride": 3}


def small(**config: Any) -> PatchTSTEncoder:
    return PatchTSTEncoder(PatchTSTConfig(**{**SMALL, "dropout": 0.0, **config}), features=3)


@pytest.mark.parametrize(("scaling", "width"), [("std", 30), ("none", 24)])
@pytest.mark.parametrize("pre_norm", [True, False])
def test_every_weight_learns_and_windows_stay_apart(scaling: str, width: int, pre_norm: bool) -> None:
    encoder = small(scaling=scaling, pre_norm=pre_norm)
    assert encoder.width == width
    check_encoder(encoder, lookback=20, features=3)


def test_patches_end_with_the_last_bar_and_the_oldest_bars_are_left_out() -> None:
    x = torch.arange(20.0).view(1, 20, 1).expand(-1, -1, 3)
    patches, _, _ = small(scaling="none").patches(x)
    assert patches[0, 0, :, 0].tolist() == [2.0, 5.0, 8.0, 11.0, 14.0]
    assert patches[0, 0, -1].tolist() == [14.0, 15.0, 16.0, 17.0, 18.0, 19.0]


def test_level_and_volatility_of_a_scaled_window_stand_in_the_code() -> None:
    encoder = small().eval()
    x = windows(2, 20, 3)
    once, louder = encoder(x), encoder(7.0 * x + 2.0)
    torch.testing.assert_close(louder[:, :24], once[:, :24], atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(louder[:, 24:27], 7.0 * x.mean(1) + 2.0, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(louder[:, 27:], (7.0 * x.std(1, correction=0)).log(), atol=1e-3, rtol=1e-3)


def test_a_constant_window_has_a_finite_code_and_gradient() -> None:
    encoder = small()
    code = encoder(torch.full((2, 20, 3), 4.0))
    code.sum().backward()
    assert bool(code.isfinite().all())
    assert all(bool(p.grad.isfinite().all()) for p in encoder.parameters())


def test_batch_statistics_do_not_reach_predictions() -> None:
    encoder = small()
    encoder(windows(16, 20, 3, seed=1))
    check_batch_independence(encoder.eval(), windows(5, 20, 3))


@pytest.mark.parametrize(
    ("config", "words"),
    [({"n_heads": 3}, "multiple"), ({"stride": 9}, "between the patches"), ({"warmup_ratio": 0.1}, "warmup_epochs")],
)
def test_sizes_that_cannot_fit_are_refused(config: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        PatchTSTConfig.parse({**SMALL, **config})
