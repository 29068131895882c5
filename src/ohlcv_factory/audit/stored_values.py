"""Is what a dataset stores what its own bars give? Columns and labels are computed again and compared bit by bit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ohlcv_factory.audit.violation import Violation, at_bar, difference, overall, worst_difference
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.labelling import label_symbol
from ohlcv_factory.dataset.rolled import feature_rows
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.errors import FactoryError

TEST = "stored values"


def stored_values(container: TimeSeriesDataContainer, last: int) -> Iterator[Violation]:
    """Features of the newest `last` eligible rows of each symbol, and all labels, against those that its bars give."""
    for code in range(len(container.symbols)):
        rows = np.flatnonzero(container.index["symbol_code"] == code)
        if len(rows):
            yield from _features(container, code, rows[-last:])
            yield from _labels(container, code, rows)


def of_horizon(config: DatasetConfig, horizon: int) -> DatasetConfig:
    """The settings of a dataset for one of its horizons alone."""
    barriers = {key: value for key, value in config.barriers.items() if key == horizon}
    return config.model_copy(update={"horizons": (horizon,), "barriers": barriers})


def _features(container: TimeSeriesDataContainer, code: int, rows: np.ndarray) -> Iterator[Violation]:
    market, places = container.markets[code], container.index["row"][rows]
    first, bars = int(places[0]), market.bars
    try:
        computed = feature_rows(bars, market.instrument, container.feature_names, container.config.rolls, first)
    except FactoryError as error:
        yield overall(TEST, "all", bars.symbol, error.what)
        return
    stored, again = container.matrix(rows, container.feature_names), computed[places - first]
    for place in np.flatnonzero(_any_differs(stored, again)).tolist():
        worst = worst_difference(stored[:, place], again[:, place])
        if worst is not None:
            got, expected = float(stored[worst, place]), float(again[worst, place])
            complaint = f"the dataset stores {got:.9g}, its bars give {expected:.9g}"
            size = difference(got, expected)
            yield at_bar(TEST, container.feature_names[place], bars, int(places[worst]), size, complaint)


def _any_differs(stored: np.ndarray, again: np.ndarray) -> np.ndarray:
    differs: np.ndarray = ((stored != again) & ~(np.isnan(stored) & np.isnan(again))).any(axis=0)
    return differs


def _labels(container: TimeSeriesDataContainer, code: int, rows: np.ndarray) -> Iterator[Violation]:
    market, places = container.markets[code], container.index["row"][rows]
    bars, horizon = market.bars, container.horizon
    config = of_horizon(container.config, horizon)
    path = label_symbol(bars, market.source, market.instrument, config)[horizon].path
    labels, labelled = container.labels, path.labelled[places]
    told = {
        "labelled": (labels.labelled[rows], labelled),
        "label": (np.where(labelled, labels.label[rows], 0), np.where(labelled, path.label[places], 0)),
        "label end": (labels.end_ns[rows] * labelled, bars.time_ns[path.end_row[places]] * labelled),
    }
    for name, (stored, again) in told.items():
        differs = stored != again
        if differs.any():
            first = int(np.argmax(differs))
            complaint = f"{int(differs.sum())} of {len(rows)} stored values are not those that its bars give"
            yield at_bar(
                TEST, f"{name} of horizon {horizon}", bars, int(places[first]), float(differs.sum()), complaint
            )
