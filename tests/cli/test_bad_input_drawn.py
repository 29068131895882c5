"""Rows 1 to 49 of the bad-input table that change a bar file, on drawn bars: exit code, column, row, and a way out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from command_line import call

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

COLUMNS = ("timestamp", "open", "high", "low", "close", "volume")
PRICES = COLUMNS[1:5]
START = datetime(2024, 1, 2, tzinfo=UTC)
DRAWN = {"deadline": None, "suppress_health_check": list(HealthCheck), "phases": (Phase.explicit, Phase.generate)}
"""Without shrinking: a command takes long, and the file at fault is small anyway."""


@dataclass(frozen=True)
class Broken:
    """A file with one fault, and what the message must hold."""

    content: bytes
    holds: tuple[str, ...]


def table(cells: list[list[str]]) -> bytes:
    return "".join(",".join(row) + "\n" for row in cells).encode()


@st.composite
def good_bars(draw) -> list[list[str]]:
    """Header and 6 to 40 rows of five-minute bars, each price an exact decimal."""
    steps = st.lists(st.integers(-50, 50), min_size=6, max_size=40).filter(any)  # a close that never moves is refused
    rows, price = [list(COLUMNS)], draw(st.integers(200, 100_000))
    for place, step in enumerate(draw(steps)):
        close = max(100, price + step)
        low, high = min(price, close) - draw(st.integers(0, 20)), max(price, close) + draw(st.integers(0, 20))
        cents = [f"{value / 100:.2f}" for value in (price, high, low, close)]
        rows.append(
            [f"{START + timedelta(minutes=5 * place):%Y-%m-%dT%H:%M:%SZ}", *cents, str(draw(st.integers(1, 999)))]
        )
        price = close
    return rows


def in_cell(word: str, columns: tuple[str, ...] = PRICES) -> Callable[..., Broken]:
    """One value is replaced; column and row are said."""

    def broken(draw, cells) -> Broken:
        row, column = draw(st.integers(1, len(cells) - 1)), draw(st.sampled_from(columns))
        cells[row][COLUMNS.index(column)] = word
        return Broken(table(cells), (column, f"row {row + 1}"))

    return broken


def extra_field(draw, cells) -> Broken:
    row = draw(st.integers(1, len(cells) - 1))
    cells[row].append("7")
    return Broken(table(cells), (f"row {row + 1} has 7 fields",))


def cut_line(draw, cells) -> Broken:
    kept = draw(st.integers(2, 5))
    cells[-1] = cells[-1][:kept]
    return Broken(table(cells), (f"row {len(cells)} has {kept} of 6 fields",))


def missing_column(draw, cells) -> Broken:
    column = draw(st.sampled_from(COLUMNS[1:]))
    place = COLUMNS.index(column)
    return Broken(table([row[:place] + row[place + 1 :] for row in cells]), (f"missing: {column}",))


def doubled_column(draw, cells) -> Broken:
    column = draw(st.sampled_from(PRICES))
    place = COLUMNS.index(column)
    return Broken(table([[*row, row[place]] for row in cells]), (f"column '{column}' twice",))


def repeated(draw, cells) -> Broken:
    row = draw(st.integers(1, len(cells) - 1))
    return Broken(
        table([*cells[: row + 1], *cells[row:]]), ("a time comes again with the same values", f"row {row + 2}")
    )


def repeated_otherwise(draw, cells) -> Broken:
    row = draw(st.integers(1, len(cells) - 1))
    other = [*cells[row][:5], str(int(cells[row][5]) + 1)]
    return Broken(
        table([*cells[: row + 1], other, *cells[row + 1 :]]), ("a time comes again with other values", f"row {row + 2}")
    )


def turned_back(draw, cells) -> Broken:
    row = draw(st.integers(1, len(cells) - 2))
    cells[row], cells[row + 1] = cells[row + 1], cells[row]
    return Broken(table(cells), (f"row {row + 2} goes back",))


def one_without_zone(draw, cells) -> Broken:
    row = draw(st.integers(1, len(cells) - 1))
    cells[row][0] = cells[row][0].rstrip("Z")
    return Broken(table(cells), (f"row {row + 1}",))


def high_below_low(draw, cells) -> Broken:
    row = draw(st.integers(1, len(cells) - 1))
    cells[row][2], cells[row][3] = cells[row][3], f"{float(cells[row][2]) + 1:.2f}"
    return Broken(table(cells), ("high is below low", f"row {row + 1}"))


def from_the_future(draw, cells) -> Broken:
    cells[-1][0] = "3024-01-01T00:00:00Z"
    return Broken(table(cells), (f"row {len(cells)}",))


def with_nul(draw, cells) -> Broken:
    row, column = draw(st.integers(1, len(cells) - 1)), draw(st.integers(1, 4))
    cells[row][column] = cells[row][column][:1] + "\x00" + cells[row][column][1:]
    return Broken(table(cells), (f"row {row + 1} holds a NUL byte",))


FAULTS: dict[str, Callable[..., Broken]] = {
    "06 decimal comma": in_cell('"1,5"'),
    "07 thousands": in_cell('"1,234.5"'),
    "08 no number": in_cell("#REF!"),
    "09 NUL byte": with_nul,
    "10 extra field": extra_field,
    "11 cut last line": cut_line,
    "12 missing column": missing_column,
    "14 doubled column": doubled_column,
    "20 repeated, equal": repeated,
    "21 repeated, other values": repeated_otherwise,
    "22 unsorted": turned_back,
    "24 zone in some rows": one_without_zone,
    "28 of the future": from_the_future,
    "32 high below low": high_below_low,
    "33 NaN": in_cell("nan"),
    "33 infinite": in_cell("inf"),
    "34 zero": in_cell("0"),
    "34 negative": in_cell("-3.5"),
    "35 negative volume": in_cell("-5", ("volume",)),
}


@pytest.fixture(scope="module")
def bars_csv(tmp_path_factory):
    return tmp_path_factory.mktemp("drawn") / "bars.csv"


def check(fault: str, bars_csv, data) -> None:
    """A fault of that kind in drawn bars is refused with its place and a way out; without it the bars are good."""
    cells = data.draw(good_bars())
    broken = FAULTS[fault](data.draw, [list(row) for row in cells])
    bars_csv.write_bytes(broken.content)
    answer = call("data", "check", bars_csv)
    assert answer.code == 65, (fault, answer.out, answer.err)
    assert [word for word in broken.holds if word not in answer.err] == [], answer.err
    assert "  help: " in answer.err and "  --> bars.csv" in answer.err
    assert "Traceback" not in answer.err


@pytest.mark.parametrize("fault", FAULTS)
@settings(max_examples=2, derandomize=True, **DRAWN)
@given(data=st.data())
def test_a_fault_in_drawn_bars_is_refused_with_column_row_and_a_way_out(fault, bars_csv, data) -> None:
    check(fault, bars_csv, data)


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
@settings(max_examples=100, **DRAWN)
@given(data=st.data())
def test_no_fault_of_many_gets_through(fault, bars_csv, data) -> None:
    check(fault, bars_csv, data)


@settings(max_examples=3, derandomize=True, **DRAWN)
@given(cells=good_bars())
def test_drawn_bars_without_a_fault_are_read(bars_csv, cells) -> None:
    bars_csv.write_bytes(table(cells))
    answer = call("data", "check", bars_csv)
    assert answer.code == 0, answer.err
    assert f"{len(cells) - 1} bars of bars" in answer.out
