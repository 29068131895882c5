"""The public door of networks: every name is there and says what it is, and opening the door loads no torch."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ohlcv_factory.errors import MissingExtraError
from ohlcv_factory.models import networks
from ohlcv_factory.runtime import packages

NAMES = {"AttentionLayer", "CausalConv1d", "ChannelLinear", "Encoder", "Explanation", "Meaning", "NetworkConfig"}
NAMES |= {"TorchModel", "causal_convolution", "figure", "moving_average", "selective_scan", "sinusoids"}


def test_it_holds_what_an_author_needs_and_no_more() -> None:
    assert networks.__all__ == dir(networks) == sorted(NAMES)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_name_can_be_imported_and_says_what_it_is(name: str) -> None:
    pytest.importorskip("torch")
    member = getattr(networks, name)
    assert member.__name__ == name
    assert member.__doc__


def test_importing_it_loads_no_torch() -> None:
    program = "import sys, ohlcv_factory.models.networks; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout == b"False\n"


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"'ohlcv_factory\.models\.networks' has no attribute 'Encodr'"):
        _ = networks.Encodr


def test_without_torch_a_name_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setattr(packages, "is_installed", lambda module: False)
    with pytest.raises(MissingExtraError) as caught:
        _ = networks.Encoder
    assert caught.value.help == "pip install 'ohlcv-model-factory[neural]'"
