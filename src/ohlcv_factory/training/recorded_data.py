"""The data that a finished run or study was made on, found again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.errors import DataError, UsageError


def recorded_container(
    folder: Path, manifest: Mapping[str, Any], recipe: Mapping[str, Any], dataset: Path | None = None
) -> TimeSeriesDataContainer:
    """The rows of a run or study in `folder`, of the dataset that its recipe names, or of `dataset` where it has moved.

    Raises UsageError (2) where neither names one, DataError (65) where it is another than the manifest says.
    """
    origin = dataset or recipe.get("dataset")
    if origin is None:
        raise UsageError(
            "it was made in memory; its dataset is not on disk.", where=str(folder), help="give --dataset DIR"
        )
    container = TimeSeriesDataContainer.from_dataset(origin, manifest["horizon"], symbol=recipe.get("symbol"))
    if container.fingerprint != manifest["data_fingerprint"]:
        raise DataError(
            f"{origin} is not the dataset that it was made on.",
            where=str(origin),
            help="build it again from the same bars",
        )
    return container
