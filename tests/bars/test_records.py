"""JSON lists of bars are read by their dialect; what is no such list is refused with its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ohlcv_factory.bars.load import BarFile
from ohlcv_factory.errors import DataError, UsageError

CANDLES = [[1_704_153_600_000, 1, 2, 0.5, 1.5, 5], [1_704_153_660_000, 1.5, 2, 1, 1.25, 6]]
NAMED = [{"timestamp": t, "open": o, "high": h, "low": l, "close": c, "volume": v} for t, o, h, l, c, v in CANDLES]


@pytest.mark.parametrize(
    ("document", "symbol"),
    [
        (CANDLES, "BTC"),
        (NAMED, "BTC"),
        ({"bars": NAMED}, "BTC"),
        ({"data": {"ETH": NAMED}}, "ETH"),
        ({"bars": NAMED, "symbol": "SPY"}, "SPY"),
        ({"bars": {"SPY": [dict(zip("tohlcv", bar, strict=True)) for bar in CANDLES]}}, "SPY"),
    ],
)
def test_a_list_of_bars_is_read(document: Any, symbol: str, read: Callable[..., BarFile]) -> None:
    bars = read(json.dumps(document), "BTC.json", columns={"symbol": "s"} if symbol in ("ETH", "SPY") else {}).bars
    assert (bars.symbol, bars.close.tolist(), bars.volume.tolist()) == (symbol, [1.5, 1.25], [5.0, 6.0])


@pytest.mark.parametrize(
    ("document", "what", "where"),
    [
        ([], "holds no list of bars", "a.json"),
        ({"error": "rate limit"}, "holds no list of bars", "a.json"),
        ([1, 2, 3], "holds no list of bars", "a.json"),
        ([[1, 2]], "no known list of bars: 1, 2, … (2 values)", "a.json"),
        ([CANDLES[0], CANDLES[1][:-1]], "row 2 has 5 of 6 values", "a.json:2"),
        ([CANDLES[0], NAMED[1]], "row 2 is no list", "a.json:2"),
        ([CANDLES[0], [1_704_153_660_000, None, 2, 1, 1.25, 6]], "open, row 2: None is not a number", "a.json:2"),
    ],
)
def test_what_is_no_list_of_bars_is_refused(document: Any, what: str, where: str, read: Callable[..., BarFile]) -> None:
    with pytest.raises(DataError) as caught:
        read(json.dumps(document), "a.json")
    assert what in caught.value.what
    assert caught.value.where == where
    assert caught.value.help


def test_a_cut_document_is_refused(read: Callable[..., BarFile]) -> None:
    with pytest.raises(DataError, match=r"a\.json is not complete JSON"):
        read(json.dumps(CANDLES)[:-3], "a.json")


def test_a_named_dialect_must_fit(read: Callable[..., BarFile]) -> None:
    with pytest.raises(UsageError, match="dialect='kraken' cannot apply"):
        read(json.dumps(CANDLES), "a.json", dialect="kraken")


def test_text_options_are_refused(read: Callable[..., BarFile]) -> None:
    with pytest.raises(UsageError, match="is no text file"):
        read(json.dumps(CANDLES), "a.json", decimal=",")
