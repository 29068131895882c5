"""The rows that a model is given, in any form: made into `Samples`, checked, brought into the order of the fit."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from ohlcv_factory.dataset.samples import INDEX_DTYPE, InputSpec, Samples
from ohlcv_factory.dataset.windows import WindowSource
from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.labels.classes import class_codes

Features = TypeVar("Features", bound="np.ndarray | WindowSource")


def samples_from_arguments(
    name: str,
    spec: InputSpec,
    X_train: Samples | np.ndarray,
    y_train: Samples | np.ndarray | None,
    X_val: np.ndarray | None,
    y_val: np.ndarray | None,
    sample_weights: np.ndarray | None,
    sample_weights_val: np.ndarray | None,
) -> tuple[Samples, Samples | None]:
    """Training and validation rows from either form of `fit`'s arguments."""
    if isinstance(X_train, Samples):
        if isinstance(y_train, np.ndarray) or any(
            a is not None for a in (X_val, y_val, sample_weights, sample_weights_val)
        ):
            raise UsageError(
                "Samples carry their own labels and weights.", help="call fit(train, val) with two Samples"
            )
        return X_train, y_train
    if spec.needs_market:
        raise UsageError(f"model {name!r} needs market data, which plain arrays lack.", help="pass Samples")
    if y_train is None or isinstance(y_train, Samples):
        raise UsageError("fit needs y_train beside X_train.", help="fit(X_train, y_train, X_val, y_val)")
    if (X_val is None) != (y_val is None):
        raise UsageError("X_val and y_val come together.", help="give both, or neither")
    train = array_samples(X_train, y_train, sample_weights, padded=spec.padded)
    if X_val is None or y_val is None:
        return train, None
    return train, array_samples(X_val, y_val, sample_weights_val, padded=spec.padded)


def array_samples(
    X: np.ndarray | WindowSource, y: np.ndarray, weight: np.ndarray | None = None, *, padded: bool = False
) -> Samples:
    """Samples from plain arrays: features f0, f1, …, weight 1, rows numbered as they come.

    With `padded` bars of NaN on the left of a window are bars that do not exist.
    """
    values = as_float32(X)
    if values.ndim not in (2, 3):
        raise DataError(
            f"X must have shape (n, features) or (n, lookback, features), got {values.shape}.",
            help="one row per sample",
        )
    if isinstance(values, np.ndarray) and values.ndim == 3:
        values = WindowSource.of_array(values, padded=padded)
    index = np.zeros(len(values), dtype=INDEX_DTYPE)
    index["row"] = index["time_ns"] = np.arange(len(values))
    weights = np.ones(len(values)) if weight is None else np.asarray(weight, dtype=np.float64)
    names = tuple(f"f{column}" for column in range(values.shape[-1]))
    return Samples(values, class_codes(np.asarray(y)), weights, index, index["time_ns"].copy(), names)


def refuse_other_codes(values: np.ndarray | WindowSource, symbols: tuple[str, ...]) -> None:
    """Raise DataError (65) where the last column of a model that reads the symbol holds a code of none."""
    if not symbols:
        return
    table = values.table[values.ends] if isinstance(values, WindowSource) else values
    strange = ~np.isin(table[..., -1], np.arange(len(symbols)))
    if strange.any():
        known = ", ".join(f"{code} {name}" for code, name in enumerate(symbols))
        raise DataError(f"symbol code {table[..., -1][strange][0]:g} stands for no symbol of the fit.", help=known)


def as_float32(X: np.ndarray | WindowSource) -> np.ndarray | WindowSource:
    """The values as models read them, contiguous; windows are that already."""
    return X if isinstance(X, WindowSource) else np.ascontiguousarray(X, dtype=np.float32)


def finite(values: Features, names: tuple[str, ...], *, padded: bool) -> Features:
    """Refuse what is not finite, but for the bars that a padded window lacks (DataError, 65)."""
    table = values.table if isinstance(values, WindowSource) else values
    broken = ~np.isfinite(table)
    if isinstance(values, WindowSource):
        if values.starts is not None and not padded:
            raise DataError("a window reaches back before the first bar.", help="a shorter lookback, or later rows")
        if broken.any():
            broken &= values.used_rows()[:, None]
    if not broken.any():
        return values
    row, *_, column = np.argwhere(broken)[0].tolist()
    raise DataError(f"feature {names[column]!r}, row {row}, is {table[row, column]}.", help="features must be finite")


def in_order_of(samples: Samples, names: tuple[str, ...]) -> Any:
    """X with its columns in the order of the fit. Raises DataError (65) that names missing and extra columns."""
    if samples.feature_names == names:
        return samples.X
    missing = [name for name in names if name not in samples.feature_names]
    extra = [name for name in samples.feature_names if name not in names]
    if missing or extra:
        raise DataError(
            f"features differ from the fit: missing {missing[:5]}, extra {extra[:5]}.", help="use the same set"
        )
    columns = [samples.feature_names.index(name) for name in names]
    if isinstance(samples.X, WindowSource):
        return samples.X.with_table(np.ascontiguousarray(samples.X.table[:, columns]))
    return np.ascontiguousarray(samples.X[:, columns])
