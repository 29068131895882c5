"""Does a prediction know what came later? The tests of features, over the whole way from raw bars to probabilities."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np

from ohlcv_factory.audit.corruption import CORRUPTIONS, cut_points
from ohlcv_factory.audit.violation import Violation, at_bar, difference, overall, worst_difference
from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.errors import FactoryError
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.labels.classes import CLASS_NAMES
from ohlcv_factory.training.bundle import ModelBundle

TEST = "predict path"
PATH_ROWS = 600
"""Predicted bars that are looked at."""
STREAMED = 16
"""Newest bars that come one at a time, as to a live session."""


def predict_path(bundle: ModelBundle, bars: Bars) -> Iterator[Violation]:
    """Every prefix of the bars, later bars of any kind, and one bar at a time give the bits of the whole series.

    `bars` are of the bundle's size; the newest ones are looked at. Raises DataError (65) where they are too few.
    """
    bars = bars.slice(max(0, len(bars) - bundle.first_eligible - PATH_ROWS), len(bars))
    whole = answers(bundle, bars)
    cuts = cut_points(bars, bundle.instrument(bars.symbol).sessions, bundle.first_eligible + 1)
    for cut in [each for each in cuts if each < len(bars)][::2]:
        yield from _compared(bundle, bars, bars.head(cut), whole, f"the first {cut} bars alone give another value")
    for cut in [each for each in cuts if each < len(bars)][1::5]:
        for how, corrupt in CORRUPTIONS.items():
            complaint = f"later bars change it (from bar {cut} on {how})"
            yield from _compared(bundle, bars, corrupt(bars, cut), whole, complaint, before=cut)
    yield from _streamed(bundle, bars, whole)


def answers(bundle: ModelBundle, bars: Bars) -> Predictions:
    """What a bundle predicts of some bars, whatever it has to warn of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bundle.predict(bars)


def differing(got: Predictions, expected: Predictions, bars: Bars, test: str, complaint: str) -> Iterator[Violation]:
    """Rows of one symbol that both hold and whose probabilities, before or after the calibrator, differ in a bit."""
    _, own, other = np.intersect1d(got.index["row"], expected.index["row"], return_indices=True)
    for kind in ("raw", "probabilities"):
        for code, name in enumerate(CLASS_NAMES):
            now, then = getattr(got, kind)[own, code], getattr(expected, kind)[other, code]
            worst = worst_difference(now, then)
            if worst is not None:
                words = f"{complaint}: {now[worst]:.9g} for {then[worst]:.9g}"
                place = int(got.index["row"][own][worst])
                label = f"{'raw ' if kind == 'raw' else ''}P({name})"
                yield at_bar(test, label, bars, place, difference(now[worst], then[worst]), words)


def _compared(
    bundle: ModelBundle, bars: Bars, other: Bars, whole: Predictions, complaint: str, *, before: int | None = None
) -> Iterator[Violation]:
    """What differs between the predictions of other bars and those of the whole series, in the rows before `before`."""
    try:
        found = answers(bundle, other)
    except FactoryError as error:
        yield overall(TEST, "predict", bars.symbol, f"{complaint}: {error.what}")
        return
    kept = found if before is None else found.take(found.index["row"] < before)
    yield from differing(kept, whole, bars, TEST, complaint)


def _streamed(bundle: ModelBundle, bars: Bars, whole: Predictions) -> Iterator[Violation]:
    first = max(bundle.first_eligible, len(bars) - STREAMED)
    session = bundle.live(bars.head(first))
    for row in range(first, len(bars)):
        newest = session.update(bars.slice(row, row + 1))
        yield from differing(newest, whole, bars, TEST, "bar by bar it is another value than in a batch")
