"""The device report tells what `auto` takes, and needs no torch."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ohlcv_factory.models import device_report as module
from ohlcv_factory.models.device_report import NO_TORCH, device_report
from ohlcv_factory.runtime.packages import is_installed


def test_without_torch_it_names_the_extra(monkeypatch) -> None:
    monkeypatch.setattr(module, "is_installed", lambda _: False)
    report = device_report()
    assert (report.torch, report.gpus) == (None, ())
    assert (report.device, report.precision, report.preset) == (NO_TORCH, NO_TORCH, NO_TORCH)
    assert "torch: not installed\n" in str(report)
    assert '<th scope="row">gpus</th><td>none</td>' in report._repr_html_()


@pytest.mark.skipif(not is_installed("torch"), reason="asks torch")
def test_it_says_what_a_network_would_be_trained_with() -> None:
    from ohlcv_factory.models.registry import ModelRegistry

    report, config = device_report(), ModelRegistry.create("gru").config
    assert report.preset == config.preset
    assert report.device in {"cpu", "cuda", "mps"}


def test_importing_it_loads_no_torch() -> None:
    program = "import sys; from ohlcv_factory import device_report; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
