"""Whether a pre-trained model may have seen the bars that it is scored on."""

from __future__ import annotations

import warnings

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.models.base import BaseModel
from ohlcv_factory.models.pretraining import PretrainingWarning


def overlap_notes(model: BaseModel, container: TimeSeriesDataContainer, part: str) -> tuple[str, ...]:
    """A sentence per checkpoint whose data may reach into the scored rows of a part, each of them also a warning."""
    rows = container.rows(part, scored=True)
    if not len(rows):
        return ()
    first = int(container.index["time_ns"][rows].min())
    notes = tuple(filter(None, (each.overlap(first) for each in model.pretraining)))
    for note in notes:
        warnings.warn(note, PretrainingWarning, stacklevel=2)
    return notes
