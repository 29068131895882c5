from __future__ import annotations

import numpy as np
import pytest

from ohlcv_factory.training.drift import TrainingRange

TRAINING = np.stack([np.arange(101.0), np.arange(101.0) * 10], axis=1).astype(np.float32)
RANGE = TrainingRange.fit(TRAINING, ("small", "large"))


def test_the_range_holds_98_percent_of_the_training_values():
    assert RANGE.low.tolist() == [1.0, 10.0]
    assert RANGE.high.tolist() == [99.0, 990.0]
    assert RANGE.outside(TRAINING).tolist() == pytest.approx([2 / 101, 2 / 101])


def test_values_from_elsewhere_are_named_with_their_share():
    strange = TRAINING.copy()
    strange[:60, 1] = 1e6
    note = RANGE.note(strange, "ES")
    assert note is not None
    assert note.startswith("ES: 1 of 2 features lie mostly outside the training range: large (60%);")


def test_values_like_those_of_training_need_no_note():
    assert RANGE.note(TRAINING, "ES") is None
    assert RANGE.note(TRAINING[:0], "ES") is None


def test_it_is_written_and_read_back_whole():
    again = TrainingRange.from_plain(RANGE.plain())
    assert again.columns == RANGE.columns
    assert again.low.tobytes() == RANGE.low.tobytes() and again.high.tobytes() == RANGE.high.tobytes()


def test_a_range_of_no_columns_watches_nothing():
    assert TrainingRange.fit(TRAINING[:, :0], ()).note(TRAINING, "ES") is None
