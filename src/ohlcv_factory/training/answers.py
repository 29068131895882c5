"""What is fitted on the calibrate rows, which the model never saw: the calibrator, then when to act on its answers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.evaluation.calibration import Choice, choose_calibrator
from ohlcv_factory.evaluation.calibrators import IDENTITY, Calibrator
from ohlcv_factory.evaluation.conformal import fit_conformal
from ohlcv_factory.evaluation.decisions import ARGMAX, DecisionRule
from ohlcv_factory.evaluation.thresholds import fit_thresholds
from ohlcv_factory.splits.inner import halves
from ohlcv_factory.training.pipeline import FittedPipeline
from ohlcv_factory.training.settings import TrainerConfig

MIN_DECISION_ROWS = 200
"""Scored rows without which a decision rule stays argmax."""
COVERAGE = 0.9
"""Of conformal sets where the config names none."""


@dataclass(frozen=True)
class Answers:
    """A calibrator and a decision rule, and how they came about."""

    calibrator: Calibrator
    rule: DecisionRule
    notes: tuple[str, ...]
    decision_rows: int
    """Scored rows that the rule was fitted on."""


def fit_answers(
    config: TrainerConfig, container: TimeSeriesDataContainer, rows: np.ndarray, bare: FittedPipeline
) -> Answers:
    """Fit on the calibrate rows of a container; `bare` is the fitted model without a calibrator.

    A decision rule other than argmax takes the later half of them, and the calibrator the earlier one; else the
    calibrator takes all. Where rows are too few: identity, argmax, and a note that says so.
    """
    earlier, later, notes = _divided(config, container, rows)
    calibrator, found = _calibrator(config, container, earlier, bare)
    rule, said = _rule(config, container, later, replace(bare, calibrator=calibrator))
    return Answers(calibrator, rule, (*notes, *found, *said), len(later))


def _divided(
    config: TrainerConfig, container: TimeSeriesDataContainer, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Rows of the calibrator and rows of the decision rule."""
    if config.decision == "argmax" or not len(rows):
        return rows, rows[:0], ()
    earlier, later = halves(container.index["time_ns"][rows], container.labels.scheduled_end_ns[rows])
    if min(len(earlier), len(later)) < MIN_DECISION_ROWS:
        note = f"too few calibrate rows for a decision rule ({len(rows)}, at least {2 * MIN_DECISION_ROWS}): argmax"
        return rows, rows[:0], (note,)
    return rows[earlier], rows[later], ()


def _calibrator(
    config: TrainerConfig, container: TimeSeriesDataContainer, rows: np.ndarray, bare: FittedPipeline
) -> tuple[Calibrator, tuple[str, ...]]:
    if config.calibration == "none":
        return IDENTITY, ("calibration is off",)
    if not len(rows):
        return IDENTITY, ()
    labels = container.labels.take(rows)
    raw, time_ns = bare.predict(container, rows).raw, container.index["time_ns"][rows]
    choice = choose_calibrator(config.calibration, raw, labels.label, time_ns, labels.scheduled_end_ns)
    if choice.calibrator.is_identity:
        return IDENTITY, ("no calibrator: a class is missing in the calibrate rows, or none lowers their log-loss",)
    return choice.calibrator, _choice_note(choice)


def _choice_note(choice: Choice) -> tuple[str, ...]:
    """Says which kind won where it is not the smallest."""
    if not choice.losses or choice.method == next(iter(choice.losses)):
        return ()
    losses = ", ".join(f"{name} {loss:.4f}" for name, loss in choice.losses.items())
    return (f"{choice.method} calibration had the smallest held-out log-loss: {losses}",)


def _rule(
    config: TrainerConfig, container: TimeSeriesDataContainer, rows: np.ndarray, calibrated: FittedPipeline
) -> tuple[DecisionRule, tuple[str, ...]]:
    if not len(rows):
        return ARGMAX, ()
    if config.decision == "conformal":
        predictions = calibrated.predict(container, rows)
        return fit_conformal(predictions.probabilities, predictions.truth, config.conformal_coverage or COVERAGE), ()
    fitted = fit_thresholds(calibrated.predict(container, _all_between(container, rows)), container.markets)
    if not fitted.trades:
        return fitted.rule, ("no threshold earned its costs on the decision rows: the rule never acts",)
    earned = f"{fitted.trades} trades, net {fitted.net:+.4f} notionals on the rows that chose them"
    return fitted.rule, (f"thresholds, the best of {fitted.tried} pairs: {earned}",)


def _all_between(container: TimeSeriesDataContainer, rows: np.ndarray) -> np.ndarray:
    """Every eligible train row from the first to the last moment of some rows, labelled or not."""
    train, times = container.rows("train"), container.index["time_ns"]
    first, last = times[rows].min(), times[rows].max()
    return np.asarray(train[(times[train] >= first) & (times[train] <= last)])
