"""What networks can train on here: the devices of this machine, and what `auto` takes of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ohlcv_factory.runtime.display import html_table
from ohlcv_factory.runtime.memory import available_bytes
from ohlcv_factory.runtime.packages import is_installed, package_versions
from ohlcv_factory.runtime.threads import available_cores, thread_count

NO_TORCH = "none: networks need the extra neural"


@dataclass(frozen=True)
class DeviceReport:
    """Facts about this machine for training networks; printed as lines, shown by a notebook as a table."""

    torch: str | None
    """Version of torch, or None where it is not installed."""
    cores: int
    threads: int
    memory_free_gb: float | None
    gpus: tuple[str, ...]
    """Name and memory of each card."""
    device: str
    """What `device: auto` takes."""
    precision: str
    """What `precision: auto` takes, for networks that gain from bf16 and for the others."""
    preset: str
    """What `preset: auto` takes."""

    def plain(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "gpus": list(self.gpus)}

    def __str__(self) -> str:
        return "\n".join(f"{name}: {value}" for name, value in self._rows())

    def _repr_html_(self) -> str:
        return html_table("Device report", ("fact", "value"), self._rows())

    def _rows(self) -> list[tuple[str, str]]:
        words = {**self.plain(), "torch": self.torch or "not installed", "gpus": ", ".join(self.gpus) or "none"}
        return [(name.replace("_", " "), "unknown" if value is None else str(value)) for name, value in words.items()]


def device_report() -> DeviceReport:
    """What this machine offers to networks; torch is imported where it is installed, and only now."""
    free = available_bytes()
    return DeviceReport(
        torch=next(iter(package_versions(("torch", "torch-cpu")).values()), None) if is_installed("torch") else None,
        cores=available_cores(),
        threads=thread_count(),
        memory_free_gb=None if free is None else round(free / 1e9, 1),
        **(_networks() if is_installed("torch") else _no_networks()),
    )


def _networks() -> dict[str, Any]:
    import torch

    from ohlcv_factory.models._torch.device import Arithmetic, chosen_device

    device, has_cuda = chosen_device("auto"), torch.cuda.is_available()
    gaining, plain = (Arithmetic.choose(device, "auto", gains_from_bf16=gains).precision for gains in (True, False))
    return {
        "gpus": tuple(_card(index) for index in range(torch.cuda.device_count() if has_cuda else 0)),
        "device": device,
        "precision": plain if gaining == plain else f"{plain} ({gaining} for recurrent and convolutional networks)",
        "preset": "spec" if has_cuda else "small",
    }


def _card(index: int) -> str:
    import torch

    facts = torch.cuda.get_device_properties(index)
    return f"{facts.name}, {facts.total_memory / 1e9:.0f} GB"


def _no_networks() -> dict[str, Any]:
    return {"gpus": (), "device": NO_TORCH, "precision": NO_TORCH, "preset": NO_TORCH}
