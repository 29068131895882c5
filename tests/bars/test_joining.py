"""Several files, folders and symbols at once: joined where they agree, refused with both places where they do not."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ohlcv_factory.bars.load import BarFile, ReadOptions, read_sources
from ohlcv_factory.errors import DataError, InputMissingError, UsageError

HEADER = "timestamp,open,high,low,close,volume\n"
START_NS = 1_704_153_600_000_000_000  # 2024-01-02 00:00 UTC
MINUTE_NS = 60_000_000_000
Read = Callable[..., tuple[BarFile, ...]]


def text(*minutes: int, add: float = 0.0) -> str:
    """One-minute bars at minutes after 2024-01-02 00:00 UTC; the close says which minute it was."""
    lines = [f"2024-01-02T00:{minute:02}:00Z,{minute + 1},99,1,{minute + 1 + add},5\n" for minute in minutes]
    return HEADER + "".join(lines)


@pytest.fixture
def read_files(tmp_path: Path, now: Callable[[], datetime]) -> Read:
    """`read_files({name: content}, *paths)` writes files and reads the named paths, by default all files as named."""

    def read(files: dict[str, str | bytes], *paths: str, **options: object) -> tuple[BarFile, ...]:
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_sources([tmp_path / name for name in paths or files], ReadOptions(**options), clock=now)

    return read


def test_files_of_one_symbol_are_joined_in_order_of_time(read_files: Read) -> None:
    later, earlier = text(3, 4, 5), text(0, 1, 2)
    (joined,) = read_files({"X_2.csv": later, "X_1.csv": earlier})
    assert joined.bars.close.tolist() == [1, 2, 3, 4, 5, 6]
    assert joined.account.source == "2 files, X_2.csv to X_1.csv"
    assert [(file.source, file.sha256, file.rows) for file in joined.account.files] == [
        ("X_2.csv", hashlib.sha256(later.encode()).hexdigest(), 3),
        ("X_1.csv", hashlib.sha256(earlier.encode()).hexdigest(), 3),
    ]
    assert joined.account.rows == 6


def test_joining_a_file_cut_in_two_gives_the_bars_of_the_whole(read_files: Read) -> None:
    (whole,) = read_files({"X.csv": text(0, 1, 2, 4, 5)})
    (joined,) = read_files({"X_1.csv": text(0, 1, 2), "X_2.csv": text(2, 4, 5)})
    assert joined.bars.frame().equals(whole.bars.frame())
    assert "overlaps: 1 rows of two files with equal values, kept once" in joined.account.assumed


def test_an_overlap_with_other_values_names_both_files_and_rows(read_files: Read) -> None:
    with pytest.raises(DataError) as caught:
        read_files({"X_1.csv": text(0, 1, 2), "X_2.csv": text(2, 3, 4, add=0.5)})
    assert caught.value.what == (
        "X: files overlap with other values: X_1.csv row 4 (2024-01-02T00:02:00Z, close 3) and "
        "X_2.csv row 2 (2024-01-02T00:02:00Z, close 3.5) (1 of 1 rows)."
    )
    assert caught.value.where == "X_2.csv:2"
    assert caught.value.help


def test_repeats_inside_one_file_are_no_overlap(read_files: Read) -> None:
    with pytest.raises(DataError, match="with the same values: row 3") as caught:
        read_files({"X_1.csv": text(0, 0, 1), "X_2.csv": text(2, 3)})
    assert caught.value.where == "X_1.csv:3"


def test_what_breaks_a_rule_after_joining_is_placed_in_its_own_file(read_files: Read) -> None:
    late = text(3, 4).replace("2024-01-02T00:04", "2024-02-03T00:04")
    with pytest.raises(DataError, match=r"from the future .*: X_2\.csv row 3") as caught:
        read_files({"X_1.csv": text(0, 1, 2), "X_2.csv": late})
    assert caught.value.where == "X_2.csv:3"


def test_files_of_two_bar_sizes_are_not_joined(read_files: Read) -> None:
    hourly = HEADER + "".join(f"2024-01-0{1 + h // 24}T{h % 24:02}:00:00Z,1,99,1,{h + 1},5\n" for h in range(48))
    with pytest.raises(DataError, match=r"X: X_1\.csv holds bars of 1min, X_2\.csv of 1h") as caught:
        read_files({"X_1.csv": text(*range(30)), "X_2.csv": hourly})
    assert caught.value.where == "X_2.csv"


def test_a_file_of_one_row_takes_its_bar_size_from_the_others(read_files: Read) -> None:
    (joined,) = read_files({"X_1.csv": text(0, 1, 2), "X_2.csv": text(3)})
    assert (joined.bars.bar_seconds, len(joined.bars)) == (60, 4)


def test_several_symbols_of_several_files_are_all_read(read_files: Read) -> None:
    lines = [f"{name},{line}" for line in text(0, 1).splitlines()[1:] for name in ("A", "B")]
    two = "\n".join([f"symbol,{HEADER.strip()}", *lines])
    found = read_files({"both.csv": two, "B.csv": text(2), "C.csv": text(0, 1, 2)})
    assert {file.bars.symbol: file.bars.close.tolist() for file in found} == {
        "A": [1, 2],
        "B": [1, 2, 3],
        "C": [1, 2, 3],
    }
    (only,) = read_files({"both.csv": two}, symbol="B")
    assert (only.bars.symbol, len(only.bars), only.account.rows) == ("B", 2, 4)
    with pytest.raises(UsageError, match="Unknown symbol 'D'"):
        read_files({"both.csv": two}, symbol="D")


def test_a_folder_stands_for_its_bar_files(read_files: Read) -> None:
    files = {
        "in/2024/X.csv": text(3, 4),
        "in/2023/X.csv": text(0, 1, 2),
        "in/.cache/X.csv": "hidden",
        "in/.X.csv": "hidden",
        "in/notes.md": "what this is",
    }
    (joined,) = read_files(files, "in")
    assert [file.source for file in joined.account.files] == ["2023/X.csv", "2024/X.csv"]
    assert len(joined.bars) == 5
    left_out = [note for note in joined.account.assumed if note.startswith("left out")]
    assert len(left_out) == 1 and left_out[0].endswith("notes.md (no bar files by their names)")


def test_a_folder_without_bar_files_is_missing_input(read_files: Read) -> None:
    with pytest.raises(InputMissingError, match="is a directory without bar files") as caught:
        read_files({"in/notes.md": ""}, "in")
    assert (caught.value.exit_code, "it holds notes.md" in caught.value.help) == (66, True)


def test_a_file_is_not_read_twice(read_files: Read) -> None:
    with pytest.raises(UsageError, match="named twice"):
        read_files({"in/X.csv": text(0, 1)}, "in", "in/X.csv")
    with pytest.raises(UsageError, match="no bar file was named"):
        read_sources([])


def test_assumptions_are_said_once_or_with_their_files(read_files: Read) -> None:
    seconds = HEADER + "".join(f"{START_NS // 10**9 + 60 * minute},1,99,1,{minute},5\n" for minute in (3, 4))
    (joined,) = read_files({"X_1.csv": text(0, 1, 2), "X_2.csv": seconds})
    assert joined.account.assumed.count("stamp: open of the bar") == 1
    assert "times: ISO 8601 [X_1.csv]" in joined.account.assumed
    assert "times: epoch in s (by their digits) [X_2.csv]" in joined.account.assumed


def test_notes_that_differ_from_file_to_file_are_counted(read_files: Read) -> None:
    (joined,) = read_files({f"X_{minute}.csv": text(minute) for minute in range(5)})
    assert joined.account.assumed[1] == (
        "symbol: X (from the name X_0.csv) [X_0.csv] to symbol: X (from the name X_4.csv) [X_4.csv]: 5 such notes"
    )
    assert len(joined.account.assumed) == 8


def test_files_of_two_dialects_are_joined(read_files: Read) -> None:
    kraken = "".join(f"{START_NS // 10**9 + 60 * minute},1,99,1,{minute},5,2\n" for minute in (2, 3))
    (joined,) = read_files({"X_1.csv": text(0, 1), "X_2.csv": kraken})
    assert [file.dialect for file in joined.account.files] == [None, "kraken"]
    assert joined.bars.time_ns.tolist() == [START_NS + minute * MINUTE_NS for minute in range(4)]


@settings(max_examples=50, deadline=None)
@given(minutes=st.sets(st.integers(0, 59), min_size=3), cut=st.integers(0, 59), overlap=st.integers(0, 10))
def test_any_cut_with_any_overlap_joins_to_the_whole(minutes: set[int], cut: int, overlap: int) -> None:
    kept = sorted(minutes)
    first, second = [m for m in kept if m < cut + overlap], [m for m in kept if m >= cut]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, part in {"X.csv": kept, "in/X_1.csv": first, "in/X_2.csv": second}.items():
            (folder / file).parent.mkdir(exist_ok=True)
            if part:
                (folder / file).write_text(text(*part))
        options = ReadOptions(bar_size="1min")
        try:
            (whole,) = read_sources([folder / "X.csv"], options)
        except DataError as error:  # every step is a multiple of two minutes, say: no bars of one minute
            assert "steps do not fit" in error.what
        else:
            (joined,) = read_sources([folder / "in"], options)
            assert joined.bars.frame().equals(whole.bars.frame())
