"""Memory that a fit takes, estimated before it starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from ohlcv_factory.errors import ResourceError
from ohlcv_factory.models.base import BaseModel
from ohlcv_factory.runtime import memory

if TYPE_CHECKING:
    from ohlcv_factory.models._torch.model import TorchModel

BASE_GB = 0.4
"""What a run of LightGBM takes beside its table: interpreter, NumPy, polars, numba, matplotlib, the scores."""
LIBRARY_GB = {"classical": 0.2}
"""What a family's library adds: scikit-learn, of which skops imports all when a model is saved."""
TORCH_GB = 0.2
"""What torch adds."""
BYTES_PER_VALUE = {"boosting": 4 + 4 + 1 + 8, "classical": 4 + 4 + 8 + 8}
"""Per feature value: the matrix, the fit's copy, the library's own form (bins, float64) and its working copy."""
UNKNOWN_FAMILY_BYTES = 32
"""For families of plugins: the matrix, the fit's copy and three copies in float64."""
TENSOR_BYTES = 4
TABLE_BYTES = 4 + 4 + TENSOR_BYTES
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
    base = BASE_GB + LIBRARY_GB.get(model_family, 0.0)
    return {"gpu_memory_gb": 0.0, "cpu_memory_gb": base + rows * n_features * bytes_per_value / 1e9}


def refuse_too_large(model: BaseModel, rows: int, n_features: int) -> None:
    """Raise ResourceError (70) for a fit that cannot fit into memory; for a network with the batch size that would."""
    estimate = estimate_memory_requirements(model.family, rows, n_features, model)
    free = memory.available_bytes()
    _refuse(model, estimate, "cpu_memory_gb", None if free is None else free / 1e9)
    _refuse(model, estimate, "gpu_memory_gb", estimate.get("gpu_free_gb"))


@contextmanager
def out_of_memory(model: BaseModel, rows: int, n_features: int) -> Iterator[None]:
    """Turn what a library says when memory runs out after all into ResourceError (70): the figures, and what to lower."""
    try:
        yield
    except Exception as error:
        if isinstance(error, ResourceError) or not memory.is_exhausted(error):
            raise
        raise _exhausted(model, rows, n_features) from error


def _exhausted(model: BaseModel, rows: int, n_features: int) -> ResourceError:
    estimate, free = estimate_memory_requirements(model.family, rows, n_features, model), memory.available_bytes()
    needed, taken = estimate["cpu_memory_gb"], memory.peak_bytes() / 1e9
    left = "unknown" if free is None else f"{free / 1e9:.1f} GB"
    what = (
        f"memory ran out while {model.name!r} was fitted: estimated {needed:.1f} GB, taken {taken:.1f} GB, free {left}."
    )
    half_a_step = estimate.get("gb_per_window", 0.0) * estimate.get("windows", 0.0) / 2
    return ResourceError(what, help=_knob(model, estimate, half_a_step))


def _refuse(model: BaseModel, estimate: Mapping[str, float], kind: str, free: float | None) -> None:
    needed = estimate[kind]
    if free is not None and needed > free:
        unit = "GB on the card" if kind == "gpu_memory_gb" else "GB"
        what = f"fitting {model.name!r} needs about {needed:.1f} {unit}, {free:.1f} GB are free."
        raise ResourceError(what, help=_knob(model, estimate, needed - free))


def _knob(model: BaseModel, estimate: Mapping[str, float], missing_gb: float) -> str:
    """What to lower: the rows of a step, down to those of the smallest step, or what the whole fit is made of."""
    if "gb_per_window" not in estimate:
        return "lower the number of bars or features"
    name, rows = _rows_at_once(model)[0], int(estimate["windows"] - missing_gb / estimate["gb_per_window"])
    if rows >= estimate["least_windows"]:
        return f"lower {name} to {rows}"
    return f"lower lookback, the sizes of the network or the number of features: no {name} fits"


def _network_memory(model: BaseModel, rows: int, n_features: int) -> dict[str, float]:
    """The steps happen where the training is; the table lies there too, on a card where it has room for it."""
    from ohlcv_factory.models._torch.device import free_bytes, has_room

    network = cast("TorchModel", model)
    device, size = network.arithmetic().device, network.footprint(n_features)
    table, windows = rows * n_features * TABLE_BYTES / 1e9, _rows_at_once(model, rows)[1]
    step = size.batch_bytes(windows) / 1e9
    estimate = {
        "gpu_memory_gb": 0.0,
        "cpu_memory_gb": BASE_GB + TORCH_GB + table,
        "parameters": float(size.parameters),
        "gb_per_window": size.window_bytes / 1e9,
        "windows": windows,
        "least_windows": size.least_windows,
    }
    free = free_bytes(device)
    if free is None:
        return {**estimate, "cpu_memory_gb": estimate["cpu_memory_gb"] + step}
    tensor = rows * n_features * TENSOR_BYTES
    on_card = step + (tensor / 1e9 if has_room(device, tensor) else 0.0)
    return {**estimate, "gpu_memory_gb": on_card, "gpu_free_gb": free / 1e9}


def _rows_at_once(model: BaseModel, rows: int | None = None) -> tuple[str, int]:
    """The setting that says how many windows are in memory at once, and how many those are, of at most `rows`."""
    if model.config.batch_size is None:
        return "block_rows", model.block_rows
    most = [number for number in (model.config.windows_per_epoch, rows) if number is not None]
    return "batch_size", min([int(model.config.batch_size), *most])
