"""Where a network runs and in which precision: what was asked, or what this machine does well."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import torch

from ohlcv_factory.errors import DeviceError
from ohlcv_factory.models._torch.settings import Device, Precision

ROOM = 0.5
"""Share of a card's free memory that the table may fill; the steps of the training need the rest."""


def chosen_device(wanted: Device) -> str:
    """`auto` takes a CUDA card, else Apple's, else the CPU. Raises DeviceError (69) for a device that is not there."""
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if there[name])
    if not there[wanted]:
        raise DeviceError(
            f"device {wanted!r} was asked for, this machine has none.",
            where=f"device: {wanted}",
            help="set device: auto (or cpu)",
        )
    return wanted


def has_room(device: str, nbytes: int) -> bool:
    """Whether a table may lie on a device for a whole fit: on a CUDA card it may fill half of the free memory."""
    free = free_bytes(device)
    return free is None or nbytes <= ROOM * free


def free_bytes(device: str) -> int | None:
    """Free memory of a CUDA card; None for a device that shares the main memory."""
    return torch.cuda.mem_get_info()[0] if device == "cuda" else None


def has_matrix_bf16() -> bool:
    """Whether the CPU multiplies bf16 matrices in hardware (AMX); elsewhere bf16 on a CPU is slower than fp32."""
    return bool(torch.cpu._is_amx_tile_supported())


@dataclass(frozen=True)
class Arithmetic:
    """The precision of training steps on a device; predictions are always fp32."""

    device: str
    precision: Literal["fp32", "bf16", "fp16"]

    @classmethod
    def choose(cls, device: str, wanted: Precision, *, gains_from_bf16: bool) -> Arithmetic:
        """`auto`: bf16 on a card that has it, or on a CPU with AMX for recurrent and convolutional networks; else fp32.

        Raises DeviceError (69) for fp16 without CUDA: it needs a scaled loss and is no gain elsewhere.
        """
        if wanted == "fp16" and device != "cuda":
            raise DeviceError(f"precision 'fp16' needs CUDA, the device is {device!r}.", help="precision: auto or bf16")
        if wanted != "auto":
            return cls(device, wanted)
        card = device == "cuda" and torch.cuda.is_bf16_supported()
        processor = device == "cpu" and gains_from_bf16 and has_matrix_bf16()
        return cls(device, "bf16" if card or processor else "fp32")

    def casting(self) -> AbstractContextManager[Any]:
        """The context of a forward pass in training."""
        if self.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device, dtype=torch.bfloat16 if self.precision == "bf16" else torch.float16)

    def scaler(self) -> torch.amp.GradScaler:
        """Scales the loss for fp16, does nothing otherwise."""
        return torch.amp.GradScaler(self.device, enabled=self.precision == "fp16")
