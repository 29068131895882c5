"""What a run keeps of its model's words about itself: averages over some val rows, and a few of them in full."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.models.explanation import Explanation
from ohlcv_factory.runtime.clock import time_text
from ohlcv_factory.storage.formats import read_arrays, read_json, write_arrays, write_json
from ohlcv_factory.training.pipeline import FittedPipeline

ARRAYS, FACTS = Path("metrics") / "explanation.npz", Path("metrics") / "explanation.json"
MOST_ROWS = 512
"""Rows that are explained, evenly spaced over the part."""
SHOWN_ROWS = 3
"""Rows whose series are kept one by one, evenly spaced among them."""


@dataclass(frozen=True)
class PartExplanation:
    """What a model says about one part: arrays by name, and what they are."""

    arrays: dict[str, np.ndarray]
    """Weights: the mean over the rows. Contributions: some rows as they are, `(shown rows, …)`, and over all rows the mean of
    their size, `<name>_size`. Series: some rows as they are, `(shown rows, …)`, the mean over all rows,
    `<name>_mean`, and by feature how far rows lie from it, `<name>_spread` (root mean square over rows and bars). float32."""
    facts: dict[str, Any]
    """Rows, the shown rows' symbols and times, and kind and axes of each array: JSON-ready."""


def explain_part(pipeline: FittedPipeline, container: TimeSeriesDataContainer, part: str) -> PartExplanation | None:
    """What the model says about at most 512 rows of a part; None for a model that says nothing."""
    rows = evenly_spaced(_rows_of_known_rules(pipeline, container, part), MOST_ROWS)
    said = pipeline.explain(container, rows)
    if not said:
        return None
    places = evenly_spaced(np.arange(len(rows)), SHOWN_ROWS)
    arrays: dict[str, np.ndarray] = {}
    for name, explanation in said.items():
        arrays |= _kept(name, explanation, places)
    items = {name: {"kind": each.kind, "axes": each.axes} for name, each in said.items()}
    shown = [_key(container, row) for row in rows[places].tolist()]
    return PartExplanation(arrays, {"part": part, "rows": len(rows), "shown": shown, "items": items})


def write_explanation(folder: Path, explanation: PartExplanation) -> None:
    """`explanation.npz` and `explanation.json`."""
    write_arrays(folder / ARRAYS, explanation.arrays)
    write_json(folder / FACTS, explanation.facts)


def read_explanation(folder: Path) -> PartExplanation | None:
    """What `write_explanation` wrote into a run; None where the model says nothing. Raises DataError (65)."""
    if not (folder / FACTS).is_file():
        return None
    return PartExplanation(read_arrays(folder / ARRAYS), read_json(folder / FACTS))


def _rows_of_known_rules(pipeline: FittedPipeline, container: TimeSeriesDataContainer, part: str) -> np.ndarray:
    """Rows of a part; of those, for a model that reads the label rule, the rows whose rule is known."""
    rows = container.rows(part)
    return rows[container.row_market(rows).known] if pipeline.model.input_spec.needs_market else rows


def _kept(name: str, explanation: Explanation, places: np.ndarray) -> dict[str, np.ndarray]:
    values = explanation.values
    mean = values.mean(axis=0, dtype=np.float64).astype(np.float32)
    if explanation.kind == "weights":
        return {name: mean}
    if explanation.kind == "contributions":
        size = np.abs(values).mean(axis=0, dtype=np.float64).astype(np.float32)
        return {name: values[places], f"{name}_size": size}
    spread = np.sqrt(np.square(values - mean, dtype=np.float64).mean(axis=(0, -1)))
    return {name: values[places], f"{name}_mean": mean, f"{name}_spread": spread.astype(np.float32)}


def evenly_spaced(rows: np.ndarray, most: int) -> np.ndarray:
    """At most `most` of some rows, evenly spaced from the first to the last."""
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(np.int64))]


def _key(container: TimeSeriesDataContainer, row: int) -> dict[str, str]:
    key = container.index[row]
    return {"symbol": container.symbols[key["symbol_code"]], "time": time_text(key["time_ns"])}
