"""What needs no model, on exactly the rows of a model's predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ohlcv_factory.bars.schema import NANOSECONDS
from ohlcv_factory.dataset.market import SymbolMarket
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.labels.classes import LONG, NEUTRAL
from ohlcv_factory.runtime.seeding import component_generator

CHANCE = "random_same_turnover"
"""Name of the baseline whose spread over versions is what chance gives."""
SHIFTS = 32
"""Shifted copies of a model's decisions that stand for chance."""


@dataclass(frozen=True)
class Baseline:
    """One baseline's decisions; several versions are scored each and averaged."""

    name: str
    versions: tuple[Predictions, ...]
    has_probabilities: bool = False
    """Whether the probabilities are its own; without, those in `versions` are still the model's and mean nothing."""
    barriers: bool = True
    """Whether its trades have stop, target and time-out."""


def baselines(
    predictions: Predictions,
    markets: Sequence[SymbolMarket],
    *,
    label_end: np.ndarray,
    class_shares: np.ndarray,
    seed: int = 0,
) -> tuple[Baseline, ...]:
    """Class prior, last label, random with the model's turnover, buy and hold, always flat.

    label_end: `(n,)` int64 ns, **close** of the bar that ended each row's label: when the label became known.
    class_shares: `(3,)` of the training rows. Nothing here reads a label before it was known.
    """
    return (
        Baseline("class_prior", (class_prior(predictions, class_shares),), has_probabilities=True),
        Baseline("last_label", (last_label(predictions, markets, label_end),)),
        Baseline(CHANCE, shifted(predictions, seed=seed)),
        Baseline("buy_and_hold", (constant(predictions, LONG),), barriers=False),
        Baseline("always_flat", (constant(predictions, NEUTRAL),)),
    )


def class_prior(predictions: Predictions, class_shares: np.ndarray) -> Predictions:
    """The training shares as the probabilities of every row, the largest as its decision."""
    shares = np.tile(np.asarray(class_shares, dtype=np.float64), (len(predictions), 1))
    decision = np.full(len(predictions), np.argmax(class_shares), np.int8)
    return replace(predictions, raw=shares, probabilities=shares, decision=decision)


def last_label(predictions: Predictions, markets: Sequence[SymbolMarket], label_end: np.ndarray) -> Predictions:
    """Of each row, the label of its symbol's latest scored row whose label had ended by this row's close.

    Neutral before the first. A label ends after its own row, so the row found is always an earlier one.
    """
    decision = np.full(len(predictions), NEUTRAL, np.int8)
    codes, time_ns = predictions.index["symbol_code"], predictions.index["time_ns"]
    for code in predictions.codes:
        rows = np.flatnonzero(codes == code)
        rows = rows[np.argsort(time_ns[rows], kind="stable")]
        close_ns = time_ns[rows] + markets[code].bars.bar_seconds * NANOSECONDS
        decision[rows] = _latest_known(predictions.truth[rows], label_end[rows], predictions.scored[rows], close_ns)
    return replace(predictions, decision=decision)


def _latest_known(truth: np.ndarray, label_end: np.ndarray, scored: np.ndarray, close_ns: np.ndarray) -> np.ndarray:
    """Labels in force at each close, `(n,)`, of one symbol's rows in time order."""
    labels = np.flatnonzero(scored)
    by_end = labels[np.argsort(label_end[labels], kind="stable")]
    latest = np.concatenate([[-1], np.maximum.accumulate(by_end)])
    known = latest[np.searchsorted(label_end[by_end], close_ns, side="right")]
    return np.where(known >= 0, truth[known], NEUTRAL).astype(np.int8)


def shifted(predictions: Predictions, *, seed: int = 0) -> tuple[Predictions, ...]:
    """The model's own decisions, moved around the part's circle by random offsets per symbol.

    Sides, their runs and so turnover and exposure stay the model's; only their place in time is chance.
    """
    generator = component_generator(seed, CHANCE)
    codes = predictions.index["symbol_code"]
    groups = [np.flatnonzero(codes == code) for code in predictions.codes]
    return tuple(_shifted_once(predictions, groups, generator) for _ in range(SHIFTS))


def _shifted_once(
    predictions: Predictions, groups: Sequence[np.ndarray], generator: np.random.Generator
) -> Predictions:
    decision = predictions.decision.copy()
    for rows in groups:
        offset = int(generator.integers(1, max(2, len(rows))))
        decision[rows] = np.roll(decision[rows], offset)
    return replace(predictions, decision=decision)


def constant(predictions: Predictions, decision: int) -> Predictions:
    """One class for every row."""
    return replace(predictions, decision=np.full(len(predictions), decision, np.int8))
