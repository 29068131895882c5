from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ohlcv_factory.errors import DataError
from ohlcv_factory.studies.fold_job import run_fold
from ohlcv_factory.studies.members import Member, joined
from ohlcv_factory.studies.out_of_fold import OutOfFold
from ohlcv_factory.studies.settings import CrossValidationConfig

FOLDS = CrossValidationConfig(folds=3)


@pytest.fixture
def predicted(study):
    return OutOfFold(study.predictions, study.paths[0].fold)


def test_members_are_joined_on_symbol_and_time_in_whatever_order_they_come(predicted, container):
    rows = container.rows("train")
    order = np.random.default_rng(0).permutation(len(rows))
    shuffled = OutOfFold(predicted.predictions.take(order), predicted.fold[order])
    found = joined({"a": predicted, "b": shuffled}, container, rows)
    assert found["a"].raw.tobytes() == found["b"].raw.tobytes() == predicted.predictions.raw.tobytes()


def test_symbols_are_joined_by_name_not_by_code(predicted, container):
    renamed = replace(predicted.predictions, symbols=("other",))
    with pytest.raises(DataError, match="member 'a': its out-of-fold prediction lacks"):
        joined({"a": OutOfFold(renamed, predicted.fold)}, container, container.rows("train"))


def test_a_row_that_is_missing_or_there_twice_is_refused(predicted, container):
    rows = container.rows("train")
    for places, words in (
        (np.arange(1, len(rows)), "lacks 1 of"),
        (np.r_[0, np.arange(len(rows))], "holds a row twice"),
    ):
        spoiled = OutOfFold(predicted.predictions.take(places), predicted.fold[places])
        with pytest.raises(DataError, match=words):
            joined({"a": spoiled}, container, rows)


def test_no_probability_comes_from_a_model_whose_label_spans_meet_that_rows_span(container, config, tmp_path):
    """On sets: the moments that any training label of a fold looks at, and those that a tested row's label looks at."""
    time, end = container.index["time_ns"], container.labels.scheduled_end_ns
    tested = []
    for lookback, name in ((1, "logistic"), (16, "gru")):
        changes = {} if lookback == 1 else {"sequence_length": lookback}
        member = Member.of(name, config(model_name=name, **changes), container, FOLDS, tmp_path)
        for fold in member.folds.folds:
            part = member.folds.part(fold)
            seen = {moment for row in part.rows("train") for moment in spans(time, time[row], end[row])}
            rows = part.rows("val")
            assert seen.isdisjoint({moment for row in rows for moment in spans(time, time[row], end[row])})
            tested.append((name, rows))
    for name in ("logistic", "gru"):
        together = np.concatenate([rows for other, rows in tested if other == name])
        assert sorted(together.tolist()) == container.rows("train").tolist()  # 100 %, once per row


def spans(time, first, last):
    """The open times of all bars from one moment to another."""
    return time[(time >= first) & (time <= last)].tolist()


def test_a_member_without_its_folds_says_which(container, config, tmp_path, quick):
    member = Member.of("logistic", config(), container, FOLDS, tmp_path)
    run_fold(member.fold_specs()[1], container)
    with pytest.raises(DataError, match=r"folds \[1, 3\] of member 'logistic' left no whole result"):
        member.out_of_fold()


def test_the_final_bundle_counts_only_by_the_same_settings(container, config, tmp_path, quick):
    member = Member.of("logistic", config(), container, FOLDS, tmp_path)
    assert not member.final_is_there
    member.fit_final()
    assert member.final_is_there
    other = Member.of("logistic", config(model={"C": 0.5}), container, FOLDS, tmp_path)
    assert not other.final_is_there
    (member.final / "checkpoints" / "calibrator.json").write_text("{}")
    assert not member.final_is_there
