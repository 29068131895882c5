"""Nothing is repaired unless a rule is named; what a rule did is counted and said."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ohlcv_factory.bars.cleaning import RULES
from ohlcv_factory.bars.load import BarFile
from ohlcv_factory.bars.options import CLEANING, ReadOptions
from ohlcv_factory.errors import FactoryError, UsageError

HEADER = "timestamp,open,high,low,close,volume\n"
GOOD_ROWS = "2024-01-05T20:58:00Z,1,2,0.5,1.5,5\n2024-01-05T20:59:00Z,1,2,0.5,1.25,6\n"
BAD = {
    "high below low": "1,0.5,2,1,7",
    "open outside": "9,2,0.5,1,7",
    "not above 0": "1,2,0,1,7",
    "not finite": "1,inf,0.5,1,7",
    "absent": "1,,0.5,1,7",
    "a mark for absent": "1,2,0.5,N/A,7",
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_row_is_refused_until_dropping_it_is_asked_for(
    case: str, read: Callable[..., BarFile], refusal: Callable[..., FactoryError]
) -> None:
    content = HEADER + GOOD_ROWS + f"2024-01-05T21:00:00Z,{BAD[case]}\n"
    assert refusal(content).where == "BTC_5min.csv:4"
    result = read(content, cleaning=("drop_bad_rows",))
    assert result.bars.close.tolist() == [1.5, 1.25]
    assert result.account.cleaned == {"drop_bad_rows": 1}
    assert "drop_bad_rows: 1 rows, row 4 (2024-01-05T21:00:00Z)" in result.account.warnings


def test_the_refusal_names_the_rule(refusal: Callable[..., FactoryError]) -> None:
    assert "--clean drop_bad_rows" in refusal(HEADER + GOOD_ROWS + "2024-01-05T21:00:00Z,1,0.5,2,1,7\n").help


def test_a_number_in_another_notation_is_never_dropped(refusal: Callable[..., FactoryError]) -> None:
    content = HEADER + GOOD_ROWS + '2024-01-05T21:00:00Z,1,"2,5",0.5,1,7\n'
    assert "'2,5' is not a number" in refusal(content, cleaning=("drop_bad_rows",)).what


@pytest.mark.parametrize(
    ("rule", "volume"), [("drop_negative_volume", [5.0, 6.0]), ("zero_negative_volume", [5.0, 6.0, 0.0])]
)
def test_negative_volume_is_dropped_or_becomes_0(rule: str, volume: list[float], read: Callable[..., BarFile]) -> None:
    result = read(HEADER + GOOD_ROWS + "2024-01-05T21:00:00Z,1,2,0.5,1,-7\n", cleaning=(rule,))
    assert result.bars.volume.tolist() == volume
    assert result.account.cleaned == {rule: 1}


def test_flat_weekend_bars_are_dropped_and_nothing_else(read: Callable[..., BarFile]) -> None:
    """2024-01-05 was a Friday: from 21:00 to Monday 00:00 a bar without range and volume is a filling."""
    flat = [f"2024-01-{day}T{hour}:00Z,1.5,1.5,1.5,1.5,0\n" for day, hour in (("05", "21:00"), ("07", "23:59"))]
    kept = ["2024-01-07T23:58:00Z,1.5,1.5,1.5,1.5,1\n", "2024-01-08T00:00:00Z,1.5,1.5,1.5,1.5,0\n"]
    content = HEADER + GOOD_ROWS + flat[0] + kept[0] + flat[1] + kept[1]
    result = read(content, bar_size="1min", cleaning=("drop_flat_weekend",))
    assert [int(volume) for volume in result.bars.volume] == [5, 6, 1, 0]
    assert result.account.cleaned == {"drop_flat_weekend": 2}


def test_filled_weekends_are_said(read: Callable[..., BarFile]) -> None:
    content = HEADER + GOOD_ROWS + "2024-01-06T00:00:00Z,1.5,1.5,1.5,1.5,0\n"
    assert "1 flat bars without volume on weekends: --clean drop_flat_weekend" in read(content).account.warnings


def test_equal_repeats_are_dropped_and_counted(read: Callable[..., BarFile]) -> None:
    result = read(HEADER + GOOD_ROWS + GOOD_ROWS.splitlines()[1] + "\n", cleaning=("drop_duplicates",))
    assert result.account.cleaned == {"drop_duplicates": 1}
    assert len(result.bars) == 2


def test_a_rule_that_met_nothing_is_counted_as_0(read: Callable[..., BarFile]) -> None:
    result = read(HEADER + GOOD_ROWS, cleaning=("drop_bad_rows", "drop_duplicates"))
    assert result.account.cleaned == {"drop_bad_rows": 0, "drop_duplicates": 0}
    assert result.account.warnings == ()


def test_an_unknown_rule_has_a_nearest_one() -> None:
    with pytest.raises(UsageError, match="cleaning: no rule 'drop_bad_row'; did you mean 'drop_bad_rows'"):
        ReadOptions.parse({"cleaning": ["drop_bad_row"]})


def test_every_rule_that_is_offered_is_known() -> None:
    assert {*RULES, "drop_duplicates"} == set(CLEANING)
