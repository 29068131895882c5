from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="networks need torch")

from ohlcv_factory.errors import DeviceError
from ohlcv_factory.models._torch import device
from ohlcv_factory.models._torch.device import Arithmetic, chosen_device, has_room


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="device 'cuda' was asked for") as caught:
        chosen_device("cuda")
    assert (caught.value.exit_code, caught.value.help) == (69, "set device: auto (or cpu)")


def test_auto_takes_the_card_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for there, expected in ((False, "cpu"), (True, "cuda")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert chosen_device("auto") == expected


def test_a_table_fills_at_most_half_of_what_a_card_has_free(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (1000, 8000))
    assert [has_room("cuda", nbytes) for nbytes in (500, 501)] == [True, False]
    assert has_room("cpu", 10**15)


@pytest.mark.parametrize(
    ("amx", "gains", "expected"), [(True, True, "bf16"), (True, False, "fp32"), (False, True, "fp32")]
)
def test_a_cpu_uses_bf16_only_where_hardware_and_network_gain(monkeypatch, amx, gains, expected):
    monkeypatch.setattr(device, "has_matrix_bf16", lambda: amx)
    assert Arithmetic.choose("cpu", "auto", gains_from_bf16=gains).precision == expected


def test_fp16_needs_cuda():
    with pytest.raises(DeviceError, match="needs CUDA, the device is 'cpu'"):
        Arithmetic.choose("cpu", "fp16", gains_from_bf16=True)
