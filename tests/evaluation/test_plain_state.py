from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import pytest

from ohlcv_factory.errors import DataError
from ohlcv_factory.evaluation.plain_state import PlainState, read_back


@dataclass(frozen=True)
class Half(PlainState):
    share: float
    kind = "half"

    def plain(self) -> dict[str, Any]:
        return {"kind": self.kind, "share": self.share}

    @classmethod
    def of_kind(cls, state: Mapping[str, Any]) -> Self:
        return cls(float(state["share"]))


KINDS = {"half": Half}


def test_what_was_written_comes_back() -> None:
    assert read_back(KINDS, Half(0.1).plain(), "a share") == Half(0.1)


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"kind": "third", "share": 0.3},
        {"kind": "half"},
        {"kind": "half", "share": "much"},
        {"kind": [], "share": 1},
    ],
)
def test_anything_else_is_bad_data_that_is_named(state: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"a share must hold a kind \(half\) and its numbers, got "):
        read_back(KINDS, state, "a share")


def test_a_long_state_is_cut_in_the_words() -> None:
    with pytest.raises(DataError) as caught:
        read_back(KINDS, {"kind": "x" * 1000}, "a share")
    assert len(caught.value.what) < 300
