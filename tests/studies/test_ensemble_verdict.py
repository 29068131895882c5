from __future__ import annotations

import numpy as np
import pytest

from ohlcv_factory.dataset.samples import INDEX_DTYPE
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.studies.ensemble_verdict import ensemble_verdict

ROWS = 1000
TRUTH = np.random.default_rng(0).integers(0, 3, ROWS).astype(np.int8)
UNIQUE = np.ones(ROWS)


def said(share, seed=1):
    """Probabilities that know a share of the rows, the same share for the same seed."""
    known = np.random.default_rng(seed).random(ROWS) < share
    return np.where(known[:, None], 0.7 * np.eye(3)[TRUTH] + 0.1, 1 / 3)


def predictions(probabilities):
    index = np.zeros(ROWS, dtype=INDEX_DTYPE)
    index["time_ns"] = index["row"] = np.arange(ROWS)
    flags, decision = np.ones(ROWS, dtype=bool), probabilities.argmax(axis=1).astype(np.int8)
    return Predictions(index, ("S",), probabilities, probabilities, decision, TRUTH, flags, flags, 5)


def verdict(own, members, code="edge"):
    return ensemble_verdict(predictions(own), members, UNIQUE, code, seed=0)


def test_an_ensemble_that_beats_average_and_best_member_is_recommended():
    facts = verdict(said(0.9), {"a": said(0.3, 2), "b": said(0.4, 3)})
    assert (facts["winner"], facts["recommended"], facts["beats_both"]) == ("ensemble", True, True)
    assert facts["best_single"] == "b"
    assert facts["words"].startswith("The ensemble is recommended: it beats the plain average and the best member")
    assert facts["against_average"]["interval"][1] < 0


def test_one_that_beats_the_members_but_not_their_average_is_not():
    even = (np.arange(ROWS) % 2 == 0)[:, None]
    a, b = np.where(even, said(1.0), 1 / 3), np.where(even, 1 / 3, said(1.0))
    facts = verdict((a + b) / 2, {"a": a, "b": b})
    assert facts["against_average"]["difference"] == 0.0
    assert facts["against_best_single"]["interval"][1] < 0
    assert (facts["winner"], facts["recommended"]) == ("plain average", False)


def test_one_that_does_not_beat_its_best_member_is_not():
    best = said(0.9)
    facts = verdict(best, {"best": best, "worse": said(0.1, 2)})
    assert (facts["winner"], facts["recommended"]) == ("best", False)
    assert "best won" in facts["words"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("no edge found", "No edge found, so nothing is recommended"),
        ("too little data", "Too little data to recommend"),
    ],
)
def test_without_an_edge_nothing_is_recommended_whatever_the_log_loss_says(code, words):
    facts = verdict(said(0.9), {"a": said(0.3, 2), "b": said(0.4, 3)}, code)
    assert (facts["beats_both"], facts["recommended"]) == (True, False)
    assert facts["words"].startswith(words)


def test_log_losses_are_those_of_the_scored_rows():
    own = said(1.0)
    facts = verdict(own, {"a": said(0.0), "b": said(0.0)})
    assert facts["log_loss"] == {
        "ensemble": pytest.approx(-np.log(0.8)),
        "plain average": pytest.approx(np.log(3)),
        "a": pytest.approx(np.log(3)),
        "b": pytest.approx(np.log(3)),
    }
    assert facts["rows"] == ROWS
