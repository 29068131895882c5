"""What a network does on this machine: preset, sizes, device, precision."""

from __future__ import annotations

from typing import Any

from ohlcv_factory.models.base import BaseModel


def chosen_for_machine(model: BaseModel) -> dict[str, Any]:
    """Preset, look-back, epochs' windows, device and precision as they were chosen; empty for other models.

    Of a pre-trained model also the rows of a block, and where it trains nothing only what decides a prediction.
    """
    if not hasattr(model.config, "for_machine"):
        return {}
    from ohlcv_factory.models._torch.device import Arithmetic, chosen_device

    config = model.config
    device = chosen_device(config.device)
    blocks = {"block_rows": model.block_rows} if hasattr(config, "block_rows") else {}
    if not model.trains:
        return {"lookback": model.lookback, **blocks, "device": device}
    gains = bool(getattr(model, "gains_from_bf16", False))
    return {
        "preset": config.preset,
        "lookback": model.lookback,
        **blocks,
        "windows_per_epoch": config.windows_per_epoch,
        "device": device,
        "precision": Arithmetic.choose(device, config.precision, gains_from_bf16=gains).precision,
    }


def machine_notes(model: BaseModel) -> tuple[str, ...]:
    """The choice as one note of a run."""
    chosen = chosen_for_machine(model)
    words = ", ".join(f"{name} {'all' if value is None else value}" for name, value in chosen.items())
    return (f"chosen for this machine: {words}",) if chosen else ()
