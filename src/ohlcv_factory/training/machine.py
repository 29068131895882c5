"""What a network does on this machine: preset, sizes, device, precision."""

from __future__ import annotations

from typing import Any

from ohlcv_factory.models.base import BaseModel


def chosen_for_machine(model: BaseModel) -> dict[str, Any]:
    """Preset, look-back, epochs' windows, device and precision as they were chosen; empty for other models."""
    if not hasattr(model.config, "for_machine"):
        return {}
    from ohlcv_factory.models._torch.device import Arithmetic, chosen_device

    config = model.config
    device = chosen_device(config.device)
    gains = bool(getattr(model, "gains_from_bf16", False))
    return {
        "preset": config.preset,
        "lookback": config.lookback,
        "windows_per_epoch": config.windows_per_epoch,
        "device": device,
        "precision": Arithmetic.choose(device, config.precision, gains_from_bf16=gains).precision,
    }


def machine_notes(model: BaseModel) -> tuple[str, ...]:
    """The choice as one note of a run."""
    chosen = chosen_for_machine(model)
    words = ", ".join(f"{name} {'all' if value is None else value}" for name, value in chosen.items())
    return (f"chosen for this machine: {words}",) if chosen else ()


def warm_up_notes(model: BaseModel) -> tuple[str, ...]:
    """A word where a network's last epoch still belongs to the warm-up of its learning rate."""
    epochs, warm_up = (getattr(model.config, name, None) for name in ("max_epochs", "warmup_epochs"))
    if not warm_up or epochs is None or epochs > warm_up:
        return ()
    reached = model.config.learning_rate * epochs / (warm_up + 1)
    return (
        f"max_epochs={epochs} ends inside the warm-up of {warm_up} epochs: the learning rate reaches {reached:.2g} of "
        f"{model.config.learning_rate:.2g}; --set model.warmup_epochs=0 starts with all of it",
    )
