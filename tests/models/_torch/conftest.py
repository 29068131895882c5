from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _same_weights_each_time() -> None:
    torch = pytest.importorskip("torch", reason="the networks need torch")
    torch.manual_seed(0)
