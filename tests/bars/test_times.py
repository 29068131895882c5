"""A time is read in one way or refused: no guessed zone, no guessed order of day and month."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ohlcv_factory.bars.load import BarFile
from ohlcv_factory.errors import FactoryError, UsageError

START_NS = 1_704_153_600_000_000_000  # 2024-01-02 00:00 UTC
FIVE_MINUTES_NS = 300_000_000_000
HOUR_NS = 3_600_000_000_000
NEW_YORK = "America/New_York"


@pytest.mark.parametrize(
    ("times", "options"),
    [
        (["2024-01-02T00:00:00Z", "2024-01-02T00:05:00Z"], {}),
        (["2024-01-02T00:00Z", "2024-01-02T00:05Z"], {"tz": "UTC"}),
        (["2024-01-02T00:00:00.000Z", "2024-01-02T00:05:00.000Z"], {}),
        (["2024-01-02T02:00:00+02:00", "2024-01-02T01:05:00+0100"], {}),
        (["2024-01-02 00:00:00 +00:00", "2024-01-02 00:05:00 +00:00"], {}),
        (["2024-01-02 00:00:00", "2024-01-02 00:05:00"], {"tz": "UTC"}),
        (["2024/01/02 00:00", "2024/01/02 00:05"], {"tz": "UTC"}),
        (["2024-01-01T19:00:00", "2024-01-01T19:05:00"], {"tz": NEW_YORK}),
        (["20240102 000000", "20240102 000500"], {"tz": "UTC", "date_format": "%Y%m%d %H%M%S"}),
        (["2024-01-02 01:00 +0100", "2024-01-02 01:05 +0100"], {"date_format": "%Y-%m-%d %H:%M %z"}),
    ],
)
def test_the_same_moments_are_read_from(
    times: list[str], options: dict[str, object], timed: Callable[..., str], read: Callable[..., BarFile]
) -> None:
    assert read(timed(*times), **options).bars.time_ns.tolist() == [START_NS, START_NS + FIVE_MINUTES_NS]


@pytest.mark.parametrize(
    ("times", "unit"),
    [
        (["1704153600", "1704153900"], "s"),
        (["1704153600000", "1704153900000"], "ms"),
        (["1704153600000000", "1704153900000000"], "us"),
        (["1704153600000000000", "1704153900000000000"], "ns"),
        (["1704153600000", "1704153900000000"], "ms and us"),
    ],
)
def test_epoch_units_are_told_by_their_digits(
    times: list[str], unit: str, timed: Callable[..., str], read: Callable[..., BarFile]
) -> None:
    result = read(timed(*times))
    assert result.bars.time_ns.tolist() == [START_NS, START_NS + FIVE_MINUTES_NS]
    assert f"times: epoch in {unit} (by their digits)" in result.account.assumed


def test_a_declared_unit_overrules_the_digits(timed: Callable[..., str], read: Callable[..., BarFile]) -> None:
    bars = read(timed("900000000000", "900000300000"), time_unit="ms").bars
    assert bars.time_ns.tolist() == [900_000_000_000_000_000, 900_000_300_000_000_000]


@pytest.mark.parametrize("date_format", [None, "%d.%m.%Y %H:%M:%S.%f", "%d.%m.%Y %H:%M:%S%.f"])
def test_day_first_dates_are_read_when_declared_or_proven(
    date_format: str | None, timed: Callable[..., str], read: Callable[..., BarFile]
) -> None:
    content = timed("31.12.2023 22:00:00.000", "01.01.2024 22:00:00.000")
    bars = read(content, tz="UTC", date_format=date_format).bars
    assert bars.time_ns.tolist() == [START_NS - 26 * HOUR_NS, START_NS - 2 * HOUR_NS]


def test_month_first_dates_are_read_when_proven(timed: Callable[..., str], read: Callable[..., BarFile]) -> None:
    result = read(timed("12/31/2023 22:00", "01/01/2024 22:00"), tz="UTC")
    assert result.bars.time_ns.tolist() == [START_NS - 26 * HOUR_NS, START_NS - 2 * HOUR_NS]
    assert "times: month first (%m/%d/%Y %H:%M), as some day is above 12" in result.account.assumed


def test_date_and_time_columns_are_joined(read: Callable[..., BarFile]) -> None:
    content = "Date,Time,Open,High,Low,Last,Volume\n2024.01.02,00:00,1,2,1,1,5\n2024.01.02,00:05,1,2,1,2,5\n"
    result = read(content, tz="UTC")
    assert result.bars.time_ns.tolist() == [START_NS, START_NS + FIVE_MINUTES_NS]
    assert "columns: 'Date', 'Time', 'Open', 'High', 'Low', 'Last', 'Volume'" in result.account.assumed


@pytest.mark.parametrize(
    ("ambiguous", "time_ns"), [("earliest", 1_699_162_200_000_000_000), ("latest", 1_699_165_800_000_000_000)]
)
def test_a_doubled_hour_is_read_as_declared(
    ambiguous: str, time_ns: int, timed: Callable[..., str], read: Callable[..., BarFile]
) -> None:
    """01:30 in New York was 05:30 UTC and again 06:30 UTC that night."""
    content = timed("2023-11-05T00:30", "2023-11-05T01:30")
    assert read(content, tz=NEW_YORK, ambiguous=ambiguous).bars.time_ns[-1] == time_ns


REFUSED: dict[str, tuple[list[str], dict[str, object], int, str, str]] = {
    "no zone": (
        ["2024-01-02T00:00:00", "2024-01-02T00:05:00"],
        {},
        2,
        "no time zone: row 2: '2024-01-02T00:00:00'",
        "--tz UTC",
    ),
    "zone in some rows": (
        ["2024-01-02T00:00:00Z", "2024-01-02T00:05:00"],
        {},
        3,
        "row 2 '2024-01-02T00:00:00Z' has a zone, row 3",
        "UTC",
    ),
    "doubled hour": (
        ["2023-11-05T00:30:00", "2023-11-05T01:30:00"],
        {"tz": NEW_YORK},
        3,
        "comes twice: America/New_York repeats that hour",
        "--ambiguous",
    ),
    "skipped hour": (
        ["2023-03-12T01:30:00", "2023-03-12T02:30:00"],
        {"tz": NEW_YORK, "ambiguous": "earliest"},
        3,
        "does not exist: America/New_York skips that hour",
        "--tz",
    ),
    "epoch beyond": (
        ["1704153600000", "1704153900000"],
        {"time_unit": "s"},
        2,
        "beyond the year 2262",
        "--time-unit",
    ),
    "year 3024": (["3024-01-02T00:00Z", "3024-01-02T00:05Z"], {}, 2, "beyond the year 2262", "mend"),
    "odd digits": (["20240102", "20240103"], {}, 2, "has none of 10, 13, 16 or 19 digits", "--date-format"),
    "broken epoch": (["1704153600", "x"], {}, 3, "'x' is no whole epoch number", "mend"),
    "no time": (["2024-01-02T00:00Z", ""], {}, 3, "timestamp, row 3: None is no time", "mend"),
    "broken time": (
        ["2024-01-02T00:00", "soon"],
        {"tz": "UTC"},
        3,
        "'soon' is not a time like %Y-%m-%dT%H:%M",
        "mend",
    ),
    "day or month first": (
        ["01.02.2024", "02.02.2024"],
        {"tz": "UTC"},
        2,
        "may be day first or month first",
        "--date-format '%d.%m.%Y' or '%m.%d.%Y'",
    ),
    "words": (["2. Jan 24"], {"tz": "UTC"}, 2, "is not ISO 8601", "--date-format"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_time_in_doubt_is_refused_with_its_place_and_a_way_out(
    case: str, timed: Callable[..., str], refusal: Callable[..., FactoryError]
) -> None:
    times, options, row, what, help = REFUSED[case]
    error = refusal(timed(*times), **options)
    assert what in error.what
    assert help in error.help
    assert error.where == f"BTC_5min.csv:{row}"


@pytest.mark.parametrize(
    ("first", "options", "what"),
    [
        ("2024-01-02T00:00:00Z", {"tz": NEW_YORK}, "tz='America/New_York' disagrees with row 2"),
        ("2024-01-02T00:00:00", {"tz": "America/New_Yrok"}, "Did you mean 'America/New_York'?"),
        ("2024-01-02T00:00:00Z", {"time_unit": "ms"}, "time_unit='ms' cannot apply"),
        ("2024-01-02T00:00:00Z", {"ambiguous": "latest"}, "ambiguous='latest' cannot apply"),
        ("1704153600", {"tz": "Europe/Berlin"}, "epoch times are UTC"),
        ("1704153600", {"ambiguous": "latest"}, "ambiguous='latest' cannot apply"),
        ("2024-01-02 +0000", {"tz": "UTC", "date_format": "%Y-%m-%d %z"}, "the date format reads a zone"),
    ],
)
def test_an_option_that_cannot_act_on_these_times_is_a_usage_error(
    first: str, options: dict[str, object], what: str, timed: Callable[..., str], read: Callable[..., BarFile]
) -> None:
    with pytest.raises(UsageError) as caught:
        read(timed(first), **options)
    assert caught.value.exit_code == 2
    assert what in caught.value.what
    assert caught.value.help
