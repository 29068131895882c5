"""A fit is entered before it begins, and judged by everything that was tried on its data."""

from __future__ import annotations

import shutil

import pytest

from ohlcv_factory.evaluation.trials import scaled_ratio
from ohlcv_factory.storage.ledger import Ledger
from ohlcv_factory.training.trainer import Trainer
from ohlcv_factory.training.trials import enter_trial, known_trials


def other_trials(settings, container, count, ratio=None):
    """Enter trials of other settings on the same data."""
    ledger = Ledger.in_folder(settings.experiments_folder)
    for number in range(count):
        trial = {"run_id": f"t{number}", "model": "svm", "horizon": 5, "config_digest": f"c{number}"}
        ledger.record("trial", **trial, data_digest=container.fingerprint)
        if ratio is not None:
            ledger.record_sharpe(
                **trial, data_digest=container.fingerprint, part="val", ratio=ratio * number, sessions=101
            )
    return ledger


def test_a_run_keeps_the_number_of_trials_that_it_was_judged_by(container, config):
    settings = config()
    ledger = other_trials(settings, container, 4, ratio=0.01)
    first = Trainer(settings).run(container)
    trials = first.evaluation["trials"]
    assert (trials["count"], trials["known"]) == (5, 5)
    own = scaled_ratio(first.evaluation["trading"])
    assert ledger.sharpes(container.fingerprint, "val") == pytest.approx([0.0, 0.1, 0.2, 0.3, own])
    again = Trainer(settings).run(container)
    assert again.evaluation["trials"] == trials
    assert again.evaluation["verdict"] == first.evaluation["verdict"]


def test_deleting_a_run_does_not_delete_its_trial(container, config):
    gone = Trainer(config(model={"C": 0.01})).run(container)
    shutil.rmtree(gone.path)
    assert Trainer(config()).run(container).evaluation["trials"]["count"] == 2


def test_many_trials_take_the_edge_from_a_score(container, config):
    settings = config()
    alone = Trainer(settings).run(container).evaluation
    assert alone["verdict"]["code"] == "too little data"
    other_trials(settings, container, 300)
    among_many = Trainer(settings).run(container).evaluation
    assert among_many["trading"] == alone["trading"]
    deflated = [each["trials"]["deflated_sharpe_ratio"] for each in (alone, among_many)]
    assert deflated[0] == pytest.approx(alone["trading"]["probabilistic_sharpe_ratio"])
    assert deflated[1] < deflated[0]


def test_the_choice_of_a_threshold_is_a_trial_of_its_own(container, config):
    settings = config(decision="threshold")
    run = Trainer(settings).run(container)
    kinds = [entry["kind"] for entry in Ledger.in_folder(settings.experiments_folder).entries()]
    assert kinds == ["fit", "threshold"]
    assert run.evaluation["trials"]["count"] == 2


def test_a_fit_that_is_done_again_is_entered_once(tmp_path, config):
    ledger = Ledger.in_folder(tmp_path)
    trial = {"run_id": "r", "model": "m", "horizon": 5, "config_digest": "c", "data_digest": "d"}
    for _ in range(2):
        enter_trial(ledger, config(decision="conformal"), trial)
    assert [entry["kind"] for entry in ledger.entries()] == ["fit", "threshold"]


def test_a_test_part_is_judged_by_the_looks_at_it_and_not_by_the_trials(container, config, tmp_path):
    ledger = Ledger.in_folder(tmp_path)
    for digest in ("a", "b", "b"):
        trial = {"run_id": digest, "model": "m", "horizon": 5, "config_digest": digest, "data_digest": "d"}
        ledger.record("fit", **trial)
    ledger.record("test_look", **trial)
    assert known_trials(ledger, "d", "val").count == 2
    assert known_trials(ledger, "d", "test").count == 1
