"""The bad-input table of the platform specification through the command line: exit code, place, and a way out."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from command_line import DATASET, FEATURES, call, fresh, succeed, write_bars

from ohlcv_factory.runtime import memory, packages

HEADER = "timestamp,open,high,low,close,volume"
FIRST = "2024-01-02T00:00:00Z,1.0,1.5,0.5,1.25,10"
SECOND = "2024-01-02T00:05:00Z,1.25,2.0,1.0,1.75,20"
THIRD = "2024-01-02T00:10:00Z,1.75,2.5,1.5,2.0,30"
CHECK = ("data", "check", "bars.csv")
TRAIN = ("train", "--model", "lightgbm", "--dataset", "dataset", "--horizon", "5", "--output-dir", "runs")


def text(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in (HEADER, *lines)).encode()


def swapped(old: str, new: str) -> bytes:
    """Three good bars with one text replaced, once."""
    return text(FIRST, SECOND, THIRD).replace(old.encode(), new.encode(), 1)


def parquet() -> bytes:
    buffer = io.BytesIO()
    pl.read_csv(io.BytesIO(text(FIRST, SECOND, THIRD)), try_parse_dates=True).write_parquet(buffer)
    return buffer.getvalue()


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zipped:
        zipped.writestr("bars.csv", text(FIRST))
    return buffer.getvalue()


@dataclass(frozen=True)
class Case:
    """A file, a command, and what the command must answer."""

    content: bytes = b""
    code: int = 65
    says: str = ""
    at: str = "bars.csv"
    help: str = ""
    command: tuple[str, ...] = CHECK
    files: dict[str, bytes] = field(default_factory=dict)


def recipe(yaml: str, says: str, at: str = "recipe.yaml") -> Case:
    command = (*TRAIN, "--config", "recipe.yaml")
    return Case(code=2, says=says, at=at, command=command, files={"recipe.yaml": yaml.encode()})


CASES = {
    "01 empty file": Case(b"", says="bars.csv is empty (0 bytes)"),
    "02 header only": Case(text(), says="bars.csv has columns and 0 bars"),
    "04 latin-1": Case(
        text(FIRST, SECOND).replace(b"1.75", b"\xe9"), says="is not utf-8", at="bars.csv:3", help="--encoding latin-1"
    ),
    "04 utf-16": Case(text(FIRST).decode().encode("utf-16"), says="byte 0", at="bars.csv:1", help="--encoding utf-16"),
    "05 semicolon": Case(text(FIRST).replace(b",", b";"), says="1 column", at="bars.csv:1", help="--delimiter ';'"),
    "06 decimal comma": Case(
        text(FIRST, SECOND).replace(b",", b";").replace(b"0.5", b"0,5"),
        says="low, row 2: '0,5' is not a number",
        at="bars.csv:2",
        help="--decimal ','",
        command=(*CHECK, "--delimiter", ";"),
    ),
    "07 thousands": Case(
        swapped("1.75,20", '"1,234.5",20'), says="close, row 3: '1,234.5' is not a number", at="bars.csv:3",
        help="--thousands ','",
    ),
    "08 no number": Case(
        swapped("1.25,10", "#REF!,10").replace(b"1.75,20", b"-,20"),
        says="close, row 2: '#REF!' is not a number; likewise row 3: '-'",
        at="bars.csv:2",
    ),
    "09 NUL byte": Case(swapped("1.75,20", "1.\x0075,20"), says="row 3 holds a NUL byte", at="bars.csv:3"),
    "10 extra field": Case(swapped(",20", ",20,7"), says="row 3 has 7 fields, the header has 6", at="bars.csv:3"),
    "11 cut last line": Case(swapped(",30", ""), says="row 4 has 5 of 6 fields (file cut?)", at="bars.csv:4"),
    "12 missing column": Case(
        swapped("volume", "vlume"), says="missing: volume; found: timestamp, open", at="bars.csv:1",
        help="did you mean 'vlume'? --map volume=vlume",
    ),
    "14 duplicate column": Case(swapped("open", "close"), says="column 'close' twice", at="bars.csv:1"),
    "15 cut Parquet": Case(
        says="bars.parquet is not a complete Parquet file (footer missing)", at="bars.parquet",
        command=("data", "check", "bars.parquet"), files={"bars.parquet": parquet()[:-40]},
    ),
    "17 text named parquet": Case(
        says="bars.parquet holds delimited text", at="bars.parquet",
        command=("data", "check", "bars.parquet"), files={"bars.parquet": text(FIRST)},
    ),
    "17 zip": Case(archive(), says="bars.csv is a zip archive"),
    "17 html": Case(b"<html><body>404</body></html>", says="bars.csv is an HTML or XML page"),
    "18 missing": Case(
        text(FIRST), code=66, says="bar.csv does not exist", at="bar.csv", help="did you mean bars.csv?",
        command=("data", "check", "bar.csv"),
    ),
    "18 directory": Case(
        code=66, says="folder is a directory without bar files", at="folder", help="it holds notes.md; bar files end in",
        command=("data", "check", "folder"), files={"folder/notes.md": b""},
    ),
    "20 repeated, equal": Case(
        text(FIRST, SECOND, SECOND, THIRD), says="a time comes again with the same values: row 4", at="bars.csv:4",
        help="--on-duplicate last",
    ),
    "20 repeated, equal, of two files": Case(
        text(FIRST, SECOND, SECOND), says="a time comes again with the same values: row 4", at="bars.csv:4",
        help="--clean drop_duplicates", command=("data", "check", "bars.csv", "bars_2.csv"),
        files={"bars_2.csv": text(THIRD)},
    ),
    "21 repeated, other values": Case(
        text(FIRST, SECOND, SECOND.replace("1.75", "1.5")), says="a time comes again with other values: row 4",
        at="bars.csv:4", help="remove the wrong rows", command=(*CHECK, "--on-duplicate", "last"),
    ),
    "21 overlap, other values": Case(
        text(FIRST, SECOND), says="files overlap with other values: bars.csv row 3", at="bars_2.csv:2",
        help="remove the wrong rows", command=("data", "check", "bars.csv", "bars_2.csv"),
        files={"bars_2.csv": text(SECOND.replace("1.75", "1.5"), THIRD)},
    ),
    "22 unsorted": Case(
        text(SECOND, FIRST, THIRD), says="row 3 goes back 0:05:00 to 2024-01-02T00:00:00Z", at="bars.csv:3", help="--sort"
    ),
    "23 no zone": Case(
        text(FIRST, SECOND).replace(b"Z,", b","), says="carries no time zone: row 2", at="bars.csv:2", help="--tz UTC"
    ),
    "23 no zone, known exporter": Case(
        b"2024.01.02,00:00,1,2,1,1.5,5\n2024.01.02,00:01,1,2,1,1.25,5\n", says="carries no time zone: row 1",
        at="bars.csv:1", help="--tz EET",
    ),
    "24 zone in some rows": Case(
        text(FIRST, SECOND.replace("Z,", ",")), says="row 2 '2024-01-02T00:00:00Z' has a zone, row 3", at="bars.csv:3",
        help="with a Z",
    ),
    "25 doubled hour": Case(
        text(FIRST, SECOND).replace(b"2024-01-02T00", b"2023-11-05T01").replace(b"Z,", b","),
        says="comes twice: America/New_York repeats that hour", at="bars.csv:2", help="--ambiguous earliest or latest",
        command=(*CHECK, "--tz", "America/New_York"),
    ),
    "25 skipped hour": Case(
        text(FIRST, SECOND).replace(b"2024-01-02T00", b"2023-03-12T02").replace(b"Z,", b","),
        says="does not exist: America/New_York skips that hour", at="bars.csv:2", help="is --tz right?",
        command=(*CHECK, "--tz", "America/New_York"),
    ),
    "26 wrong unit": Case(
        text("1704153600000,1,2,1,1,5", "1704153900000,1,2,1,1.5,5"), says="all 2 bars lie in 1970", help="--time-unit",
        command=(*CHECK, "--time-unit", "us"),
    ),
    "27 day or month first": Case(
        text("01.02.2024,1,2,1,1,5", "02.02.2024,1,2,1,1.5,5"), says="may be day first or month first", at="bars.csv:2",
        help="--date-format '%d.%m.%Y' or '%m.%d.%Y'", command=(*CHECK, "--tz", "UTC"),
    ),
    "28 future": Case(
        text(FIRST, SECOND, "2199-01-02T00:00:00Z,1,2,1,1,5"), says="bars from the future", at="bars.csv:4",
        help="check --tz, --stamp, --time-unit",
    ),
    "29 mixed bar sizes": Case(
        text(FIRST, SECOND, THIRD, THIRD.replace(":10:", ":11:")), says="5min 2 times, 1min 1 times", at="bars.csv:5",
        help="declare the bar size (--source-size)",
    ),
    "29 bar sizes of two files": Case(
        text(*(f"2024-01-02T{n // 12:02}:{n % 12 * 5:02}:00Z,1,2,1,1.{n},5" for n in range(30))),
        says="bars.csv holds bars of 5min, bars_2.csv of 1min", at="bars_2.csv", help="files of one bar size",
        command=("data", "check", "bars.csv", "bars_2.csv"),
        files={"bars_2.csv": text(*(f"2024-01-03T00:{n:02}:00Z,1,2,1,1.{n},5" for n in range(30)))},
    ),
    "32 high below low": Case(swapped("1.5,0.5", "0.5,1.5"), says="high is below low: row 2", at="bars.csv:2"),
    "32 close outside": Case(swapped("1.25,10", "9,10"), says="close lies outside low to high: row 2", at="bars.csv:2"),
    "33 infinite": Case(swapped("2.0,1.0", "inf,1.0"), says="high is not finite: row 3", at="bars.csv:3"),
    "33 NaN": Case(swapped("1.75,20", "nan,20"), says="close is not finite: row 3", at="bars.csv:3"),
    "34 zero": Case(swapped("1.0,1.5,0.5", "1.0,1.5,0"), says="low is not above 0: row 2", at="bars.csv:2"),
    "34 negative": Case(swapped("1.0,1.5,0.5", "1.0,1.5,-2"), says="low is not above 0: row 2", at="bars.csv:2"),
    "35 negative volume": Case(swapped(",20", ",-20"), says="volume is negative: row 3", at="bars.csv:3"),
    "36 constant": Case(
        text(*(f"2024-01-02T00:0{5 * n}:00Z,1,2,1,1.5,3" for n in range(2))), says="labels would be one class"
    ),
    "38 several contracts": Case(
        text(FIRST, FIRST.replace("1.25", "1.5"), SECOND).replace(b"volume", b"volume,contract")
        .replace(b"10\n", b"10,H4\n", 1).replace(b"10\n", b"10,M4\n").replace(b"20\n", b"20,H4\n"),
        says="two contracts at one time: H4 row 2", at="bars.csv:3", help="--contract H4",
    ),
    "38 unknown contract": Case(
        text(FIRST).replace(b"volume", b"volume,contract").replace(b"10\n", b"10,H4\n"), code=2,
        says="Unknown contract 'H5'. Did you mean 'H4'?", at="--contract", help="offered: H4",
        command=(*CHECK, "--contract", "H5"),
    ),
    "dialect in doubt": Case(
        b"20240102 000000;1;2;1;1.5;5\n20240102 000100;1;2;1;1.25;5\n",
        says="several dialects have this layout: ninjatrader: time, open, high, low, close, volume, zone UTC, close stamp",
        at="bars.csv:1", help="--dialect ninjatrader or --dialect histdata",
    ),
    "dialect unknown": Case(
        text(FIRST), code=2, says="Unknown dialect 'binence'. Did you mean 'binance'?", at="--dialect",
        help="ohlcv-factory data dialects", command=(*CHECK, "--dialect", "binence"),
    ),
    "cleaning unknown": Case(
        text(FIRST), code=2, says="no rule 'drop_bad_row'; did you mean 'drop_bad_rows'?", at="",
        command=(*CHECK, "--clean", "drop_bad_row"),
    ),
    "39 symbol": Case(
        text(FIRST, SECOND).replace(b"volume", b"volume,symbol").replace(b"10\n", b"10,BTC\n").replace(b"20\n", b"20,ETH\n"),
        code=2, says="Unknown symbol 'BTCC'. Did you mean 'BTC'?", help="offered: BTC, ETH",
        command=(*CHECK, "--symbol", "BTCC"),
    ),
    "40 too few bars": Case(
        says="SYNTH: have 400 bars, need at least", at="SYNTH", help="give more bars",
        command=("data", "build", "SYNTH_400.csv", "--out", "new", *DATASET),
    ),
    "41 shares above one": Case(
        code=2, says="parts.train + parts.val must be at most 1, got 0.9 + 0.3", at="SYNTH_5min.csv: parts",
        command=("data", "build", "SYNTH_5min.csv", "--out", "new", *DATASET,
                 "--set", "parts.train=0.9", "--set", "parts.val=0.3"),
    ),
    "41 gap larger than a part": Case(
        says="the gap eats part 'train' whole", at="SYNTH_5min.csv: embargo_days", help="--embargo auto",
        command=("data", "build", "SYNTH_5min.csv", "--out", "new", *DATASET, "--embargo", "30"),
    ),
    "41 gap larger than a part, of a recipe": Case(
        says="the gap eats part 'train' whole", at="build.yaml:2", help="--embargo auto",
        command=("data", "build", "SYNTH_5min.csv", "--out", "new", "--config", "build.yaml", "--set", FEATURES),
        files={"build.yaml": b"horizons: [5]\nembargo_days: 30\n"},
    ),
    "50 model": Case(
        code=2, says="Unknown model 'xgbost'. Did you mean 'xgboost'?", at="", help="ohlcv-factory models list",
        command=("train", "--model", "xgbost", "--dataset", "dataset"),
    ),
    "50 model of a recipe": Case(
        code=2, says="Unknown model 'xgbost'. Did you mean 'xgboost'?", at="recipe.yaml:2", help="ohlcv-factory models list",
        command=("train", "--config", "recipe.yaml"), files={"recipe.yaml": b"dataset: dataset\nmodel_name: xgbost\n"},
    ),
    "53 unknown key": recipe("model:\n  learning_rte: 0.1\n", "model.learning_rte: unknown key; did you mean 'learning_rate'? (recipe.yaml:2)"),
    "53 unknown key of the recipe": recipe("horizn: 5\n", "horizn: unknown key; did you mean 'horizon'? (recipe.yaml:1)"),
    "54 word": recipe("horizon: 5\nbalanced: big\n", "balanced: input should be a valid boolean, got 'big' (recipe.yaml:2)"),
    "54 fraction": recipe("batch_size: 10.5\n", "batch_size: input should be a valid integer, got 10.5 (recipe.yaml:1)"),
    "54 bool": recipe("\nmax_epochs: true\n", "max_epochs: input should be a valid integer, got True (recipe.yaml:2)"),
    "55 negative": recipe("model: {learning_rate: -1}\n", "model.learning_rate: input should be greater than 0, got -1 (recipe.yaml:1)"),
    "55 zero": recipe("model: {learning_rate: 0}\n", "model.learning_rate: input should be greater than 0, got 0 (recipe.yaml:1)"),
    "55 NaN": recipe("model: {learning_rate: .nan}\n", "model.learning_rate: input should be a finite number, got nan (recipe.yaml:1)"),
    "39 symbol of the dataset": Case(
        code=2, says="Unknown symbol 'SYNT'. Did you mean 'SYNTH'?", help="offered: SYNTH", at="",
        command=(*TRAIN, "--symbol", "SYNT"),
    ),
    "56 horizon of the dataset": Case(
        code=2, says="horizon 7 is not in this dataset", at="dataset", help="it holds: 5, 10",
        command=(*TRAIN, "--horizon", "7"),
    ),
    "56 horizon of a recipe": Case(
        code=2, says="horizon 7 is not in this dataset", at="recipe.yaml:3", help="it holds: 5, 10",
        command=("train", "--config", "recipe.yaml"),
        files={"recipe.yaml": b"dataset: dataset\nmodel_name: logistic\nhorizon: 7\n"},
    ),
    "56 horizon of the instrument": Case(
        code=2, says="horizon 7 is not offered for SYNTH", at="SYNTH_5min.csv: horizons", help="offered: 5, 10, 15, 20",
        command=("data", "build", "SYNTH_5min.csv", "--out", "new", "--horizons", "7", "--set", FEATURES),
    ),
    "56 horizon of the instrument, of a recipe": Case(
        code=2, says="horizon 7 is not offered for SYNTH", at="build.yaml:1", help="offered: 5, 10, 15, 20",
        command=("data", "build", "SYNTH_5min.csv", "--out", "new", "--config", "build.yaml"),
        files={"build.yaml": b"horizons: [7]\n"},
    ),
    "56 barriers of a horizon that is not built": Case(
        code=2, says="barriers.10: this horizon is not built, horizons are [5]", at="",
        command=("data", "build", "SYNTH_5min.csv", "--out", "new", "--horizons", "5", "--set", "barriers.10={k_up: 2}"),
    ),
    "58 key twice": recipe("horizon: 5\nseed: 1\nhorizon: 10\n", "key 'horizon' stands twice, in lines 1 and 3"),
    "60 tab": recipe("model:\n\tmax_depth: 3\n", "not valid YAML: found character", at="recipe.yaml:2"),
    "60 alias": recipe("model_name: &m lightgbm\nexperiment_name: *m\n", "aliases are not allowed", at="recipe.yaml"),
    "60 tag": recipe("model_name: !!python/object:os.system x\n", "is not allowed", at="recipe.yaml:1"),
    "60 large": recipe("experiment_name: " + "x" * 2**20 + "\n", "recipe.yaml is larger than 1 MiB"),
    "61 heads": Case(
        code=2, says="the width must be a multiple of the attention heads, got 30 and 4", at="recipe.yaml",
        command=("train", "--config", "recipe.yaml"),
        files={"recipe.yaml": b"dataset: absent\nmodel_name: patchtst\nmodel:\n  d_model: 30\n  n_heads: 4\n"},
    ),
    "64 device of a booster": Case(
        code=69, says="cannot train on CUDA here", at="device: cuda", help="device: auto",
        command=(*TRAIN, "--set", "model.device=cuda"),
    ),
    "64 device of a network": Case(
        code=69, says="device 'cuda' was asked for, this machine has none", at="device: cuda", help="device: auto",
        command=(*TRAIN, "--model", "gru", "--set", "model.device=cuda"),
    ),
    "66 output that is not empty": Case(
        code=73, says="dataset is not empty", at="dataset", help="choose a new folder",
        command=("data", "build", "SYNTH_5min.csv", "--out", "dataset", *DATASET),
    ),
    "66 output inside the input": Case(
        code=73, says="in/new lies inside the input in", at="in/new", help="outside of the input",
        command=("data", "build", "in", "--out", "in/new", *DATASET), files={"in/bars.csv": text(FIRST, SECOND)},
    ),
    "66 runs inside the dataset": Case(
        code=73, says="dataset/runs lies inside the input dataset", at="dataset/runs", help="outside of the input",
        command=(*TRAIN, "--output-dir", "dataset/runs"),
    ),
    **{
        f"66 {verb} inside the dataset": Case(
            code=73, says="which is finished: one file more would spoil it", at="dataset/", help="outside of it",
            command=(verb, *arguments, "--dataset", "dataset"),
        )
        for verb, arguments in {
            "cv": ("logistic", "--horizon", "5", "--folds", "2", "--output-dir", "dataset/runs"),
            "tune": ("logistic", "--horizon", "5", "--folds", "2", "--only", "C", "--out", "dataset/study"),
            "tune-barriers": ("--horizons", "5", "--folds", "2", "--output-dir", "dataset"),
            "ensemble": (
                *("--method", "voting", "--members", "logistic,random_forest", "--horizon", "5", "--folds", "2"),
                *("--output-dir", "dataset/runs"),
            ),
            "sweep": ("--models", "logistic", "--horizons", "5", "--out", "dataset/study"),
        }.items()
    },
    "66 output in the place of a file": Case(
        text(FIRST), code=73, says="bars.csv cannot be created", at="bars.csv", help="choose another folder",
        command=("data", "build", "SYNTH_5min.csv", "--out", "bars.csv", *DATASET),
    ),
}  # fmt: skip


@pytest.fixture
def place(tmp_path, monkeypatch, dataset, bar_csv):
    """An empty folder to work in, with a good dataset and good bars at hand."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dataset").symlink_to(dataset)
    (tmp_path / "SYNTH_5min.csv").symlink_to(bar_csv)
    return tmp_path


def assert_refused(command: tuple[str, ...], code: int, says: str, at: str = "", help: str = "") -> None:
    """The error as text and as JSON: exit code, sentence, place, a way out, no traceback."""
    answer = call(*command)
    assert (answer.code, answer.out) == (code, ""), answer.err
    assert says in answer.err
    assert f"  --> {at}" in answer.err or not at
    assert f"  help: {help}" in answer.err or help in answer.err.partition("  help: ")[2]
    assert "  help: " in answer.err
    assert "Traceback" not in answer.err
    values = json.loads(call(*command, "--json").out)
    assert values["exit_code"] == code
    assert says in values["what"]
    assert values["where"].startswith(at)
    assert help in values["help"] and values["help"]


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_refused_with_its_place_and_a_way_out(name, place):
    case = CASES[name]
    for path, content in {"bars.csv": case.content, **case.files}.items():
        (place / path).parent.mkdir(exist_ok=True)
        (place / path).write_bytes(content)
    if "SYNTH_400.csv" in case.command:
        write_bars(place / "SYNTH_400.csv", 400)
    assert_refused(case.command, case.code, case.says, case.at, case.help)
    assert not (place / "runs").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"\xef\xbb\xbf" + text(FIRST, SECOND), "2 bars of bars", id="03 byte order mark"),
        pytest.param(
            swapped(HEADER, " TimeStamp ,OPEN, High,low,CLOSE,Volume"), "3 bars of bars", id="13 padded names"
        ),
        pytest.param(swapped(",20", ",0"), "warning: volume is 0 in 33.3% of the bars", id="35 zero volume"),
        pytest.param(
            text(
                *(
                    f"2024-{1 + 2 * (n // 40):02}-0{1 + n % 40 // 24}T{n % 24:02}:00:00Z,1,2,1,1.{n % 7},5"
                    for n in range(40)
                ),
                *(f"2024-05-{day:02}T00:00:00Z,1,2,1,1.{day},5" for day in range(1, 25)),
            ),
            "warning: 1 gaps beyond 5 times the usual break: 2024-01-02T15:00:00Z to 2024-05-01T00:00:00Z",
            id="30 huge gap",
        ),
        pytest.param(
            text(
                *(
                    f"2024-0{1 + n // 28}-{1 + n % 28:02}T00:00:00Z,1,2,1,1.{n % 5 if n < 28 else 5},5"
                    for n in range(56)
                )
            ),
            "warning: close never moves (std = 0) in 2024-02",
            id="36 a month without a move",
        ),
        pytest.param(
            swapped("1.75,2.5,1.5,2.0,30", "175,250,150,175,30"),
            "warning: 1 closes jump by a factor of 100 or more: row 4 (2024-01-02T00:10:00Z) x100",
            id="37 jump",
        ),
    ],
)
def test_harmless_input_is_accepted_and_noted(content, says, place):
    (place / "bars.csv").write_bytes(content)
    assert says in succeed(*CHECK).out


def test_31_a_bar_that_is_still_open_is_dropped_and_said(place):
    opened = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    moments = [opened - timedelta(hours=n) for n in (2, 1, 0)]
    (place / "bars.csv").write_bytes(text(*(f"{m:%Y-%m-%dT%H:%M:%S}Z,1,2,1,1.{m.hour % 3},5" for m in moments)))
    said = succeed(*CHECK).out
    assert f"warning: the last bar ({opened:%Y-%m-%dT%H:%M:%S}Z) is still open: dropped" in said


def test_38_a_file_of_several_symbols_is_as_many_series(place):
    content = text(FIRST, FIRST, SECOND, SECOND, THIRD).decode().splitlines()
    rows = [f"{line},{name}" for line, name in zip(content, ["symbol", *"ABABA"], strict=True)]
    (place / "bars.csv").write_text("\n".join(rows))
    assert [(each["symbol"], each["rows"]) for each in succeed(*CHECK, "--json").json] == [("A", 5), ("B", 5)]


def test_a_repair_is_asked_for_counted_and_printed(place):
    (place / "bars.csv").write_bytes(text(FIRST, SECOND, THIRD.replace("2.5", "0")))
    said = succeed(*CHECK, "--clean", "drop_bad_rows").out
    assert "cleaned: drop_bad_rows: 1 rows" in said
    assert "warning: drop_bad_rows: 1 rows, row 4 (2024-01-02T00:10:00Z)" in said


def test_a_dataset_is_built_from_a_folder_and_keeps_the_account(place, bar_csv):
    lines = bar_csv.read_text().splitlines(keepends=True)
    (place / "in").mkdir()
    (place / "in" / "SYNTH_1.csv").write_text("".join(lines[:3000]))
    (place / "in" / "SYNTH_2.csv").write_text("".join([lines[0], *lines[2990:]]))
    succeed("data", "build", "in", "--out", "own", *DATASET)
    (source,) = json.loads((place / "own" / "dataset.json").read_text())["sources"]
    assert [file["source"] for file in source["files"]] == ["SYNTH_1.csv", "SYNTH_2.csv"]
    assert "overlaps: 10 rows of two files with equal values, kept once" in source["assumed"]
    whole, joined = (pl.read_parquet(place / folder / "SYNTH.parquet") for folder in ("dataset", "own"))
    assert joined.equals(whole)


def test_19_a_closed_file_shows_owner_and_mode(place, monkeypatch):
    (place / "bars.csv").write_bytes(text(FIRST))

    def closed(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", closed)
    assert_refused(CHECK, 77, "bars.csv cannot be read: owner", "bars.csv", "ask its owner for access")


def test_16_a_flipped_bit_in_a_dataset_is_refused(place, bar_csv):
    succeed("data", "build", bar_csv, "--out", "own", *DATASET)
    content = bytearray((place / "own" / "SYNTH.parquet").read_bytes())
    content[len(content) // 2] ^= 1
    (place / "own" / "SYNTH.parquet").write_bytes(content)
    command = ("train", "--dataset", "own", "--model", "logistic", "--horizon", "5")
    assert_refused(
        command, 65, "SYNTH.parquet is not the file that was written", "own/SYNTH.parquet", "build the dataset again"
    )


@pytest.mark.parametrize(
    ("barrier", "counts"),
    [
        pytest.param("{k_up: 90, k_down: 90, max_bars: 8}", "'short': 0", id="42 single class"),
        pytest.param("{k_up: 90, k_down: 2, max_bars: 8}", "'long': 0", id="43 missing class"),
    ],
)
def test_a_class_that_vanishes_is_refused_with_the_counts(barrier, counts, place, bar_csv):
    succeed("data", "build", bar_csv, "--out", "own", *DATASET, "--set", f"barriers.5={barrier}")
    command = ("train", "--dataset", "own", "--model", "logistic", "--horizon", "5")
    assert_refused(command, 65, counts, "own", "allow_missing_class: true")


@pytest.mark.parametrize(
    ("yaml", "key", "value"),
    [
        pytest.param("model: {learning_rate: 1e-3}", "model.learning_rate", "0.001", id="57 exponent without a point"),
        pytest.param("experiment_name: NO", "experiment_name", "NO", id="59 NO"),
        pytest.param("experiment_name: ON", "experiment_name", "ON", id="59 ON"),
        pytest.param("experiment_name: 12:30", "experiment_name", "12:30", id="59 12:30"),
    ],
)
def test_yaml_means_what_yaml_1_2_says(yaml, key, value, place):
    (place / "recipe.yaml").write_text(yaml)
    rows = succeed("config", "show", "lightgbm", "--config", "recipe.yaml", "--json").json
    assert {row["key"]: row["value"] for row in rows}[key] == value


@pytest.mark.parametrize("model", ["lightgbm", "gru"])
def test_65_a_fit_that_memory_cannot_hold_is_refused_before_it_starts(model, place, monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 2**20)
    assert_refused((*TRAIN, "--model", model), 70, "0.0 GB are free", "", "")
    assert not (place / "runs").exists()


def test_66_a_full_disk_is_said_with_the_file(place, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert_refused(
        ("data", "build", "SYNTH_5min.csv", "--out", "new", *DATASET), 74, "No space left on device", "new", ""
    )


def test_51_an_absent_package_names_the_extra(place, monkeypatch):
    found: Callable[..., object] = importlib.util.find_spec
    hidden = lambda name, *rest: None if name == "lightgbm" else found(name, *rest)  # noqa: E731
    monkeypatch.setattr(packages.importlib.util, "find_spec", hidden)
    assert_refused(TRAIN, 69, "needs the package lightgbm", "lightgbm", "pip install 'ohlcv-model-factory[boosting]'")


def test_52_a_broken_package_names_itself_and_its_extra(place):
    (place / "broken").mkdir()
    (place / "broken" / "lightgbm.py").write_text("raise OSError('lib_lightgbm.so: cannot open shared object file')\n")
    answer = fresh(*TRAIN, path=place / "broken", check=False)
    assert answer.returncode == 69
    assert "lightgbm 4." in answer.stderr and "cannot open shared object file" in answer.stderr
    assert "  help: install it again: pip install 'ohlcv-model-factory[boosting]'" in answer.stderr
    assert "Traceback" not in answer.stderr
