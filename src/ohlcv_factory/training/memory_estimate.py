"""Memory that a fit takes, estimated before it starts."""

from __future__ import annotations

from ohlcv_factory.errors import ResourceError
from ohlcv_factory.models.base import BaseModel
from ohlcv_factory.runtime import memory

BASE_GB = 0.35
"""Interpreter, NumPy, polars, numba and one model library."""
TORCH_GB = 0.35
"""What torch adds."""
BYTES_PER_VALUE = {"boosting": 4 + 4 + 1 + 8, "classical": 4 + 4 + 8 + 8}
"""Per feature value: the matrix, the fit's copy, the library's own form (bins, float64) and its working copy."""
UNKNOWN_FAMILY_BYTES = 32
"""For families of plugins: the matrix, the fit's copy and three copies in float64."""
TABLE_BYTES = 4 + 4 + 4
"""Per value of a network's table: the dataset's, the scaled one, and its tensor."""


def estimate_memory_requirements(
    model_family: str, rows: int, n_features: int, model: BaseModel | None = None
) -> dict[str, float]:
    """GB of main and GPU memory for a fit on `rows` x `n_features` values, of any family.

    A network is given as `model`, unfitted: it is asked itself, at its own batch size and look-back.
    """
    if model is not None and model.requires_sequences and hasattr(model, "footprint"):
        return _network_memory(model, rows, n_features)
    bytes_per_value = BYTES_PER_VALUE.get(model_family, UNKNOWN_FAMILY_BYTES)
    return {"gpu_memory_gb": 0.0, "cpu_memory_gb": BASE_GB + rows * n_features * bytes_per_value / 1e9}


def refuse_too_large(model: BaseModel, rows: int, n_features: int) -> None:
    """Raise ResourceError (70) for a fit that cannot fit into memory; for a network with the batch size that would."""
    estimate = estimate_memory_requirements(model.family, rows, n_features, model)
    needed, available = estimate["cpu_memory_gb"], (memory.available_bytes() or float("inf")) / 1e9
    if needed <= available:
        return
    knob = "lower the number of bars or features"
    if "gb_per_window" in estimate:
        name, size = _rows_at_once(model)
        size -= int((needed - available) / estimate["gb_per_window"]) + 1
        knob = f"lower {name} to {size}" if size >= 1 else f"{knob}: no {name} fits"
    what = f"fitting {model.name!r} needs about {needed:.1f} GB, {available:.1f} GB are free."
    raise ResourceError(what, help=knob)


def _network_memory(model: BaseModel, rows: int, n_features: int) -> dict[str, float]:
    """The table lies where the training is; the CPU's share is the table alone where that is a GPU."""
    from ohlcv_factory.models._torch.device import chosen_device

    size = model.footprint(n_features)  # type: ignore[attr-defined]
    table = rows * n_features * TABLE_BYTES / 1e9
    step = size.batch_bytes(_rows_at_once(model)[1]) / 1e9
    estimate = {
        "gpu_memory_gb": table + step,
        "cpu_memory_gb": BASE_GB + TORCH_GB + table,
        "parameters": float(size.parameters),
    }
    if chosen_device(model.config.device) == "cpu":
        estimate["cpu_memory_gb"] += step
        estimate |= {"gpu_memory_gb": 0.0, "gb_per_window": size.window_bytes / 1e9}
    return estimate


def _rows_at_once(model: BaseModel) -> tuple[str, int]:
    """The setting that says how many windows are in memory at once, and how many those are."""
    batch_size: int | None = model.config.batch_size
    return ("block_rows", model.block_rows) if batch_size is None else ("batch_size", batch_size)
