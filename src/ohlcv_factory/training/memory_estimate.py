"""Memory that a fit takes, estimated before it starts."""

from __future__ import annotations

from ohlcv_factory.errors import unknown_name

BASE_GB = 0.35
"""Interpreter, NumPy, polars, numba and one model library."""
BYTES_PER_VALUE = {"boosting": 4 + 4 + 1 + 8, "classical": 4 + 4 + 8 + 8}
"""Per feature value: the matrix, the fit's copy, the library's own form (bins, float64) and its working copy."""


def estimate_memory_requirements(model_family: str, rows: int, n_features: int) -> dict[str, float]:
    """GB of main and GPU memory for a fit of a tabular family. Raises UnknownNameError (2) for another family."""
    if model_family not in BYTES_PER_VALUE:
        raise unknown_name("tabular model family", model_family, BYTES_PER_VALUE)
    return {"gpu_memory_gb": 0.0, "cpu_memory_gb": BASE_GB + rows * n_features * BYTES_PER_VALUE[model_family] / 1e9}
