"""What a dataset holds, in numbers for people: rows, classes beside a random walk's, waiting times, ambiguity."""

from __future__ import annotations

from typing import Any

import numpy as np

from ohlcv_factory.dataset.build import Dataset, SymbolData
from ohlcv_factory.dataset.labelling import HorizonLabels
from ohlcv_factory.features.selection import advised_most_features, sample_to_feature_note
from ohlcv_factory.labels.classes import CLASS_COUNT, CLASS_NAMES
from ohlcv_factory.labels.null import null_class_shares
from ohlcv_factory.labels.paths import TIMED_OUT, round_trip_cost
from ohlcv_factory.runtime.clock import time_text
from ohlcv_factory.splits.chronological import NANOSECONDS_PER_DAY, PART_NAMES


def summarise(dataset: Dataset) -> dict[str, Any]:
    """JSON-ready summary of a dataset: one entry per symbol and horizon, parts, and advice on the number of features."""
    return {
        "symbols": {symbol.bars.symbol: _symbol_summary(symbol, dataset) for symbol in dataset.symbols},
        "parts": _part_summary(dataset),
        "features": len(dataset.feature_names),
        "sample_to_feature": _sample_to_feature(dataset),
        "first_eligible_row": dataset.first_eligible,
    }


def _sample_to_feature(dataset: Dataset) -> dict[str, Any]:
    """Training rows, the most features advised for so many, and a warning where all columns would be far too many."""
    rows = sum(int(np.sum(symbol.part == 0)) for symbol in dataset.symbols)
    note = sample_to_feature_note(rows, len(dataset.feature_names))
    return {"training_rows": rows, "advised_most_features": advised_most_features(rows), "warning": note}


def _symbol_summary(symbol: SymbolData, dataset: Dataset) -> dict[str, Any]:
    bars = symbol.bars
    return {
        "bars": len(bars),
        "first": time_text(bars.time_ns[0]),
        "last": time_text(bars.time_ns[-1]),
        "bar_seconds": bars.bar_seconds,
        "has_volume": bars.has_volume,
        "sessions": int(np.unique(symbol.instrument.sessions.session_day(bars.time_ns)).size),
        "horizons": {
            str(horizon): _label_summary(labels, symbol, dataset) for horizon, labels in symbol.labels.items()
        },
    }


def _label_summary(labels: HorizonLabels, symbol: SymbolData, dataset: Dataset) -> dict[str, Any]:
    """Statistics over the eligible labelled rows; the class counts are also given per part."""
    eligible = np.zeros(len(symbol.bars), dtype=bool)
    eligible[dataset.eligible(symbol)] = True
    path = labels.path
    rows = eligible & path.labelled
    scored = rows & ~path.ambiguous
    null = null_class_shares(labels.rule, dataset.config.entry, _cost_in_atr(symbol, rows, dataset))
    return {
        "rule": labels.rule.plain(),
        "labelled": int(rows.sum()),
        "ambiguous_share": _mean(path.ambiguous[rows]),
        "resolved_share": _mean(path.resolved[rows]),
        "class_shares": _shares(path.label[scored]),
        "random_walk_shares": dict(zip(CLASS_NAMES, null, strict=True)),
        "class_counts": {
            name: _counts(path.label[scored & (symbol.part == code)]) for code, name in enumerate(PART_NAMES)
        },
        "mean_bars_to_end": _mean(path.bars_to_hit[rows]),
        "timed_out_share": _mean(path.touch[rows] == TIMED_OUT),
        "mean_uniqueness": _mean(labels.uniqueness[rows]),
    }


def _cost_in_atr(symbol: SymbolData, rows: np.ndarray, dataset: Dataset) -> float | None:
    """Median cost of both sides in median ATR(14) over some rows; None where costs do not decide the labels."""
    if not dataset.config.cost_aware or not rows.any():
        return None
    cost = round_trip_cost(symbol.instrument)
    both_sides = cost.fixed + cost.share * 2 * symbol.bars.close[rows]
    return float(np.median(both_sides) / np.median(symbol.atr[rows]))


def _part_summary(dataset: Dataset) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    for code, name in enumerate(PART_NAMES):
        times = np.concatenate([symbol.bars.time_ns[symbol.part == code] for symbol in dataset.symbols])
        span = {"first": time_text(times.min()), "last": time_text(times.max())} if times.size else {}
        parts[name] = {"rows": int(times.size), **span}
    parts["embargo_days"] = [gap / NANOSECONDS_PER_DAY for gap in dataset.embargo_ns]
    return parts


def _counts(labels: np.ndarray) -> dict[str, int]:
    return dict(zip(CLASS_NAMES, np.bincount(labels, minlength=CLASS_COUNT).tolist(), strict=True))


def _shares(labels: np.ndarray) -> dict[str, float]:
    total = max(1, len(labels))
    return {name: count / total for name, count in _counts(labels).items()}


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else 0.0
