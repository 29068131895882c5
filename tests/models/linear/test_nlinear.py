from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch")

from encoders import check_encoder, windows

from ohlcv_factory.models._torch.classifier import Classifier
from ohlcv_factory.models.linear.nlinear import NLinearConfig, NLinearEncoder


@pytest.mark.parametrize("individual", [True, False])
def test_every_weight_learns_and_windows_stay_apart(individual: bool) -> None:
    encoder = NLinearEncoder(NLinearConfig(lookback=12, pred_len=3, individual=individual), features=4)
    check_encoder(encoder, lookback=12, features=4)


def test_the_code_does_not_see_the_price_level() -> None:
    encoder = NLinearEncoder(NLinearConfig(lookback=12, pred_len=3), features=2).double().eval()
    x = windows(3, 12, 2).double()
    torch.testing.assert_close(encoder(x + 40_000.0), encoder(x), atol=1e-9, rtol=0)
    torch.testing.assert_close(encoder.outlook(x + 40_000.0), encoder.outlook(x) + 40_000.0, atol=1e-9, rtol=0)


def test_the_logits_do_not_see_the_price_level() -> None:
    encoder = NLinearEncoder(NLinearConfig(lookback=12, pred_len=3), features=2)
    network = Classifier(encoder, classes=3, dropout=0.1).double().eval()
    x = windows(3, 12, 2).double()
    torch.testing.assert_close(network(x + 40_000.0), network(x), atol=1e-9, rtol=0)
    assert float((network(2 * x) - network(x)).detach().abs().max()) > 1e-3
