"""Memory that a fit takes, estimated before it starts."""

from __future__ import annotations

BASE_GB = 0.35
"""Interpreter, NumPy, polars, numba and one model library."""
BYTES_PER_VALUE = {"boosting": 4 + 4 + 1 + 8, "classical": 4 + 4 + 8 + 8}
"""Per feature value: the matrix, the fit's copy, the library's own form (bins, float64) and its working copy."""
UNKNOWN_FAMILY_BYTES = 32
"""For families of plugins: the matrix, the fit's copy and three copies in float64."""


def estimate_memory_requirements(model_family: str, rows: int, n_features: int) -> dict[str, float]:
    """GB of main and GPU memory for a fit on `rows` x `n_features` tabular values, of any family."""
    bytes_per_value = BYTES_PER_VALUE.get(model_family, UNKNOWN_FAMILY_BYTES)
    return {"gpu_memory_gb": 0.0, "cpu_memory_gb": BASE_GB + rows * n_features * bytes_per_value / 1e9}
