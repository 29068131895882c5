"""What a network does on this machine: preset, sizes, device, precision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ohlcv_factory.models.base import BaseModel

if TYPE_CHECKING:
    from ohlcv_factory.models._torch.model import TorchModel


def chosen_for_machine(model: BaseModel) -> dict[str, Any]:
    """Preset, look-back, epochs' windows, device and precision as they were chosen; empty for other models."""
    if not hasattr(model, "arithmetic"):
        return {}
    config, arithmetic = model.config, cast("TorchModel", model).arithmetic()
    return {
        "preset": config.preset,
        "lookback": config.lookback,
        "windows_per_epoch": config.windows_per_epoch,
        "device": arithmetic.device,
        "precision": arithmetic.precision,
    }


def machine_notes(model: BaseModel) -> tuple[str, ...]:
    """The choice as one note of a run."""
    chosen = chosen_for_machine(model)
    words = ", ".join(f"{name} {'all' if value is None else value}" for name, value in chosen.items())
    return (f"chosen for this machine: {words}",) if chosen else ()
