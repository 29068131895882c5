from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ohlcv_factory.models.pretraining import Pretraining

BOLT = Pretraining("amazon/chronos-bolt-small", "/models/bolt", "ab" * 32, "Apache-2.0", "2024-11-26", "released then")


def at(day: str) -> int:
    return int(np.datetime64(day, "ns").astype(np.int64))


@pytest.mark.parametrize("day", ["2015-01-01", "2024-11-26T23:55"])
def test_bars_until_the_last_day_of_the_data_may_have_been_seen(day):
    assert BOLT.overlap(at(day)) == (
        f"the scored bars start on {day[:10]}, the data of amazon/chronos-bolt-small reach until 2024-11-26: "
        "pre-training may have seen these bars."
    )


def test_bars_of_the_next_day_cannot_have_been_seen():
    assert BOLT.overlap(at("2024-11-27")) is None


def test_where_nobody_says_when_the_data_end_nothing_is_out_of_reach():
    unknown = replace(BOLT, data_until=None)
    assert unknown.overlap(at("2030-01-01")) == (
        "nobody says until when the data of amazon/chronos-bolt-small reach: pre-training may have seen these bars."
    )


def test_the_note_names_checkpoint_digest_licence_and_end_of_the_data():
    assert BOLT.note() == (
        "pre-trained: amazon/chronos-bolt-small (sha256 abababababab…), Apache-2.0, data until 2024-11-26 (released then)"
    )
    bare = replace(BOLT, licence=None, data_until=None, source="not known here")
    assert bare.note().endswith("licence unknown, end of its data unknown (not known here)")


def test_what_is_stored_is_read_back():
    assert Pretraining.from_plain(BOLT.plain()) == BOLT
