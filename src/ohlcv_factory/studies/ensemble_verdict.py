"""The rule of ensembles: one is recommended only where it beats the plain average and the best member out of sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ohlcv_factory.evaluation.classification import row_losses
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.evaluation.scorecard import outlasting_block
from ohlcv_factory.evaluation.significance import Difference, paired_differences

ENSEMBLE, AVERAGE = "ensemble", "plain average"
EDGE, NO_EDGE = "edge", "no edge found"


def ensemble_verdict(
    predictions: Predictions,
    members: Mapping[str, np.ndarray],
    uniqueness: np.ndarray,
    code: str,
    *,
    seed: int,
) -> dict[str, Any]:
    """Log-losses on rows that nothing was fitted on, paired differences, and which of them won: JSON-ready.

    predictions of n rows by the ensemble, members `(n, 3)` calibrated probabilities by name, uniqueness `(n,)`, `code` the
    verdict of the ensemble's scorecard. The best single member is the best on these very rows, which favours it. Differences
    are log-losses of the ensemble less the rival's on the same rows, in nats, with 90 % intervals of a stationary block
    bootstrap whose blocks outlast the labels; "beats" means that the whole interval lies below 0.
    """
    rows = _scored_in_time_order(predictions)
    truth, blocks = predictions.truth[rows], _block_rows(predictions, rows, uniqueness)
    losses = {name: row_losses(truth, each[rows]) for name, each in members.items()}
    single = min(losses, key=lambda name: float(losses[name].mean()))
    average = row_losses(truth, np.mean([each[rows] for each in members.values()], axis=0))
    own = row_losses(truth, predictions.probabilities[rows])
    against = {
        rival: _difference(own, loss, blocks, seed) for rival, loss in ((AVERAGE, average), (single, losses[single]))
    }
    means = {ENSEMBLE: own, AVERAGE: average, **losses}
    facts = {
        "rows": len(rows),
        "log_loss": {name: float(each.mean()) for name, each in means.items()},
        "best_single": single,
        "against_average": _plain(against[AVERAGE]),
        "against_best_single": _plain(against[single]),
        "beats_both": all(_lies_below(each) for each in against.values()),
    }
    facts["winner"] = _winner(facts, _difference(average, losses[single], blocks, seed))
    facts["recommended"] = facts["beats_both"] and code == EDGE
    return {**facts, "words": _words(facts, code)}


def _scored_in_time_order(predictions: Predictions) -> np.ndarray:
    rows = np.flatnonzero(predictions.scored)
    return rows[np.argsort(predictions.index["time_ns"][rows], kind="stable")]


def _block_rows(predictions: Predictions, rows: np.ndarray, uniqueness: np.ndarray) -> int:
    return outlasting_block(uniqueness[rows], symbols=len(np.unique(predictions.index["symbol_code"][rows])))


def _difference(first: np.ndarray, second: np.ndarray, block_rows: int, seed: int) -> Difference:
    columns = first[:, None], second[:, None]
    return paired_differences(*columns, {"log_loss": _only}, block_length=block_rows, seed=seed)["log_loss"]


def _only(means: np.ndarray) -> np.ndarray:
    only: np.ndarray = means[:, 0]
    return only


def _lies_below(difference: Difference) -> bool:
    return difference.interval is not None and difference.interval.high < 0


def _plain(difference: Difference) -> dict[str, Any]:
    return {
        "difference": difference.value,
        "interval": None if difference.interval is None else list(difference.interval),
    }


def _winner(facts: Mapping[str, Any], average_less_single: Difference) -> str:
    """The ensemble where it beats both, else the average where it beats the best member, else that member."""
    if facts["beats_both"]:
        return ENSEMBLE
    return AVERAGE if _lies_below(average_less_single) else str(facts["best_single"])


def _words(facts: Mapping[str, Any], code: str) -> str:
    said = "; ".join(
        f"against {rival} {_nats(facts[key])}"
        for rival, key in ((f"the {AVERAGE}", "against_average"), (facts["best_single"], "against_best_single"))
    )
    if code == NO_EDGE:
        return f"No edge found, so nothing is recommended, the ensemble least of all. Its log-loss: {said}."
    if code != EDGE:
        return f"Too little data to recommend anything. The ensemble's log-loss: {said}."
    if facts["recommended"]:
        return f"The ensemble is recommended: it beats the plain average and the best member out of sample. Log-loss: {said}."
    return (
        f"The ensemble is not recommended: it does not beat both the plain average and the best member out of sample. "
        f"{facts['winner']} won, as the simplest that is not beaten. Log-loss: {said}."
    )


def _nats(found: Mapping[str, Any]) -> str:
    if found["interval"] is None:
        return f"{found['difference']:+.4f} nats (no interval: too few rows)"
    low, high = found["interval"]
    return f"{found['difference']:+.4f} nats, 90 % interval {low:+.4f} to {high:+.4f}"
