from __future__ import annotations

import warnings

import numpy as np
import pytest

from ohlcv_factory.models.pretraining import Pretraining, PretrainingWarning
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.training.overlap import overlap_notes


def pretrained(until: str | None):
    model = ModelRegistry.create("logistic")
    model.pretraining = (Pretraining("bolt", "/models/bolt", "ab" * 32, None, until, "test"),)
    return model


def first_day(container, part: str) -> np.datetime64:
    rows = container.rows(part, scored=True)
    return container.index["time_ns"][rows].min().astype("datetime64[ns]").astype("datetime64[D]")


def test_a_part_that_begins_before_the_data_end_is_noted_and_warned_of(container):
    day = first_day(container, "val")
    with pytest.warns(PretrainingWarning, match="pre-training may have seen these bars"):
        (note,) = overlap_notes(pretrained(str(day)), container, "val")
    assert f"the scored bars start on {day}, the data of bolt reach until {day}" in note
    with pytest.warns(PretrainingWarning, match="nobody says until when"):
        assert len(overlap_notes(pretrained(None), container, "val")) == 1


def test_a_part_that_begins_later_and_a_model_without_pretraining_say_nothing(container):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert overlap_notes(pretrained(str(first_day(container, "val") - 1)), container, "val") == ()
        assert overlap_notes(ModelRegistry.create("logistic"), container, "val") == ()
