"""What a network does on this machine: preset, sizes, device, precision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ohlcv_factory.models.base import BaseModel

if TYPE_CHECKING:
    from ohlcv_factory.models._torch.model import TorchModel


def chosen_for_machine(model: BaseModel) -> dict[str, Any]:
    """Preset, look-back, epochs' windows, device and precision as they were chosen; empty for other models.

    Of a pre-trained model also the rows of a block, and where it trains nothing only what decides a prediction.
    """
    if not hasattr(model, "arithmetic"):
        return {}
    config, arithmetic = model.config, cast("TorchModel", model).arithmetic()
    blocks = {"block_rows": model.block_rows} if hasattr(config, "block_rows") else {}
    if not model.trains:
        return {"lookback": model.lookback, **blocks, "device": arithmetic.device}
    return {
        "preset": config.preset,
        "lookback": model.lookback,
        **blocks,
        "windows_per_epoch": config.windows_per_epoch,
        "device": arithmetic.device,
        "precision": arithmetic.precision,
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
