from __future__ import annotations

from importlib.util import find_spec

import pytest


@pytest.fixture(autouse=True)
def _same_weights_each_time() -> None:
    if find_spec("torch"):
        import torch

        torch.manual_seed(0)
