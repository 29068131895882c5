"""Text is read whatever its line ends, quotes and encoding; a line that does not fit is named by its number."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ohlcv_factory.bars.load import BarFile
from ohlcv_factory.bars.options import ReadOptions
from ohlcv_factory.errors import FactoryError, UsageError

SAME: dict[str, tuple[Callable[[str], str | bytes], dict[str, object]]] = {
    "byte order mark": (lambda good: "\ufeff" + good, {}),
    "windows line ends": (lambda good: good.replace("\n", "\r\n"), {}),
    "blank lines": (lambda good: good.replace("2024-01-02T00:05", "\n2024-01-02T00:05") + "\n\n", {}),
    "no last line end": (lambda good: good.rstrip("\n"), {}),
    "tabs": (lambda good: good.replace(",", "\t"), {"delimiter": "\t"}),
    "utf-16": (lambda good: good.encode("utf-16"), {"encoding": "utf-16"}),
    "quotes": (lambda good: good.replace("1.25,10", '"1.25","10"'), {}),
}


@pytest.mark.parametrize("case", SAME)
def test_the_same_bars_come_from(case: str, good: str, read: Callable[..., BarFile]) -> None:
    change, options = SAME[case]
    bars = read(change(good), **options).bars
    assert bars.time_ns.tolist() == read(good).bars.time_ns.tolist()
    assert bars.close.tolist() == [1.25, 1.75, 2.0]
    assert bars.volume.tolist() == [10.0, 20.0, 30.0]


@pytest.mark.parametrize(
    ("old", "new", "row", "what", "help"),
    [
        (",", ";", 1, "1 column with delimiter ','", "--delimiter ';'"),
        ("1.75,20", "1.\x0075,20", 3, "row 3 holds a NUL byte (character 114)", "export"),
        ("1.75,20", "1.75,20,7", 3, "row 3 has 7 fields, the header has 6", "row"),
        ("1.75,20", "1.75", 3, "row 3 has 5 of 6 fields", "row"),
        ("1.5,2.0,30\n", "1", 4, "row 4 has 4 of 6 fields (file cut?)", "row"),
        ("1.75,20", '"1.75,20', 3, "row 3 has 5 of 6 fields", "row"),
        ("low", "Close ", 1, "column 'close' twice or more (columns 4, 5)", "rename"),
    ],
)
def test_a_line_that_does_not_fit_is_refused(
    old: str, new: str, row: int, what: str, help: str, good: str, refusal: Callable[..., FactoryError]
) -> None:
    error = refusal(good.replace(old, new))
    assert what in error.what
    assert help in error.help
    assert error.where == f"BTC_5min.csv:{row}"


def test_lines_are_counted_with_the_blank_ones(good: str, refusal: Callable[..., FactoryError]) -> None:
    assert refusal(good.replace("2024-01-02T00:05", "\n\n2024-01-02T00:05").replace("1.75,20", "x,20")).where.endswith(
        ":5"
    )


def test_bytes_of_another_encoding_are_placed_and_the_likely_one_named(
    good: str, refusal: Callable[..., FactoryError]
) -> None:
    latin = refusal(good.encode() + b"\xe9")
    assert f"byte {len(good)} (row 5) is not utf-8: 0xe9" in latin.what
    assert "--encoding latin-1" in latin.help
    wide = refusal(good.encode("utf-16"))
    assert "byte 0 (row 1)" in wide.what
    assert "--encoding utf-16" in wide.help


@pytest.mark.parametrize("name", ["utf-9", "hex", "a\0b"])
def test_an_encoding_that_is_none_is_a_usage_error(name: str) -> None:
    with pytest.raises(UsageError, match="is not known: utf-8, utf-16, latin-1"):
        ReadOptions.parse({"encoding": name}, where="flags")


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"delimiter": "::"}, "delimiter must be one character, no letter or digit, got '::'"),
        ({"delimiter": "x"}, "delimiter must be one character, no letter or digit, got 'x'"),
        ({"thousands": "-"}, "thousands must be one character"),
        ({"thousands": "."}, "decimal and thousands are both '.'"),
    ],
)
def test_marks_that_cannot_be_meant_are_usage_errors(
    options: dict[str, object], what: str, good: str, read: Callable[..., BarFile]
) -> None:
    with pytest.raises(UsageError) as caught:
        read(good, **options)
    assert caught.value.exit_code == 2
    assert what in caught.value.what
    assert caught.value.help
