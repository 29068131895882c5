"""Every option, flag and key of `data build` changes something one can see, or is refused.

One table. A case runs `data build` twice on a file that its option is made for, without and with its change, and names
what must differ; an option or key without a case fails the suite.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import typer
from command_line import DATASET, FEATURES, Answer, call

from ohlcv_factory.bars.options import ReadOptions
from ohlcv_factory.bars.schema import COLUMNS
from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.cli import data
from ohlcv_factory.cli.app import application
from ohlcv_factory.cli.recipes import BuildRecipe
from ohlcv_factory.config import write_yaml
from ohlcv_factory.dataset.settings import BarrierOverride
from ohlcv_factory.reports import dataset_report
from ohlcv_factory.splits.chronological import PartShares
from ohlcv_factory.storage.formats import read_json

BARS = 2400
DOUBLED_HOUR = 202
"""Bar whose wall clock in Berlin, from 2024-10-26 08:10 on, comes twice."""


@dataclass(frozen=True)
class Case:
    """One change to a `data build` command and what must come of it."""

    change: tuple[str, ...] | dict[str, Any]
    """Arguments, or keys of a recipe file."""
    differs: str
    """What must differ, a key of `observed`; "code" where the file cannot be read without the change."""
    file: str = "SYNTH.csv"
    base: tuple[str, ...] = ()
    code: int = 0
    """Exit code with the change."""


def read(name: str, value: Any, differs: str, file: str = "SYNTH.csv", **more: Any) -> Case:
    return Case({"read": {name: value}}, differs, file, **more)


TABLE = (
    "[fee]\n"  # replaced below: YAML, see `places`
)
JUMP = ("notes", "SYNTH.csv")
FLAGS = {
    "files": Case(("SYNTH_seed8.csv",), "symbols", base=("--no-file",)),
    "out": Case(("--out", "elsewhere"), "folder"),
    "config": Case({"history_bars": 300}, "parts"),
    "overrides": Case(("--set", "history_bars=300"), "parts"),
    "bar_size": Case(("--bar-size", "10min"), "bars", base=("--set", "history_bars=0")),
    "horizons": Case(("--horizons", "5"), "labels"),
    "embargo": Case(("--embargo", "0"), "parts"),
    "instruments": Case(("--instruments", "mine.yaml"), "instruments"),
    "threads": Case(("--threads", "1"), "threads"),
    "dry_run": Case(("--dry-run",), "folder"),
    "as_json": Case(("--json",), "is_json"),
    "symbol": Case(("--symbol", "SYNTH_B"), "symbols"),
    "tz": Case(("--tz", "UTC"), "code", "naive.csv"),
    "date_format": Case(("--date-format", "%Y%m%d %H%M%S", "--tz", "UTC"), "code", "compact.csv"),
    "time_unit": Case(("--time-unit", "s"), "code", "epoch.csv", code=65),
    "delimiter": Case(("--delimiter", ";"), "code", "semicolon.csv"),
    "decimal": Case(("--decimal", ","), "code", "decimal_comma.csv", base=("--delimiter", ";")),
    "thousands": Case(("--thousands", ","), "code", "thousands.csv"),
    "encoding": Case(("--encoding", "utf-16"), "code", "utf16.csv"),
    "columns": Case(("--map", "volume=lots"), "code", "lots.csv"),
    "stamp": Case(("--stamp", "close"), "bars"),
    "source_size": Case(("--source-size", "10min"), "code", code=65),
    "sort": Case(("--sort",), "code", "unsorted.csv"),
    "on_duplicate": Case(("--on-duplicate", "last"), "code", "repeated.csv"),
    "ambiguous": Case(("--ambiguous", "latest"), "code", "berlin.csv", base=("--tz", "Europe/Berlin")),
    "max_jump": Case(("--max-jump", "1.0001"), "notes"),
}
"""By the name of Typer's parameter."""

KEYS = {
    "read": read("stamp", "close", "bars"),
    "bar_size": Case({"bar_size": "10min"}, "bars", base=("--set", "history_bars=0")),
    "horizons": Case({"horizons": [5]}, "labels"),
    "barriers": Case({"barriers": {10: {"max_bars": 12}}}, "labels"),
    "entry": Case({"entry": "close"}, "labels"),
    "timeframes": Case({"timeframes": ["1h"]}, "features", base=("--set", "features=[rsi_14, rsi_14_15m, rsi_14_1h]")),
    "features": Case({"features": ["return_1"]}, "features"),
    "history_bars": Case({"history_bars": 300}, "parts"),
    "parts": Case({"parts": {"train": 0.6}}, "parts"),
    "embargo_days": Case({"embargo_days": 0}, "parts"),
    "instruments": Case({"instruments": "mine.yaml"}, "instruments"),
    "sources": Case({"sources": ["SYNTH_seed8.csv"]}, "symbols", base=("--no-file",)),
    "out": Case({"out": "elsewhere"}, "folder"),
}
READ_KEYS = {
    "symbol": read("symbol", "SYNTH_B", "symbols"),
    "tz": read("tz", "UTC", "code", "naive.csv"),
    "date_format": read("date_format", "%Y%m%d %H%M%S", "code", "compact.csv", base=("--tz", "UTC")),
    "time_unit": read("time_unit", "s", "code", "epoch.csv", code=65),
    "delimiter": read("delimiter", ";", "code", "semicolon.csv"),
    "decimal": read("decimal", ",", "code", "decimal_comma.csv", base=("--delimiter", ";")),
    "thousands": read("thousands", ",", "code", "thousands.csv"),
    "encoding": read("encoding", "utf-16", "code", "utf16.csv"),
    "columns": read("columns", {"volume": "lots"}, "code", "lots.csv"),
    "stamp": read("stamp", "close", "bars"),
    "bar_size": read("bar_size", "10min", "code", code=65),
    "sort": read("sort", True, "code", "unsorted.csv"),
    "on_duplicate": read("on_duplicate", "last", "code", "repeated.csv"),
    "ambiguous": read("ambiguous", "latest", "code", "berlin.csv", base=("--tz", "Europe/Berlin")),
    "max_jump": read("max_jump", 1.0001, "notes"),
}
PART_KEYS = {"train": Case({"parts": {"train": 0.6}}, "parts"), "val": Case({"parts": {"val": 0.2}}, "parts")}
BARRIER_KEYS = {
    name: Case({"barriers": {5: {name: value}}}, "labels", base=("--horizons", "5"))
    for name, value in {"k_up": 3.0, "k_down": 3.0, "max_bars": 9}.items()
}
ALL = {
    **{f"flag {name}": case for name, case in FLAGS.items()},
    **{f"key {name}": case for name, case in KEYS.items()},
    **{f"key read.{name}": case for name, case in READ_KEYS.items()},
    **{f"key parts.{name}": case for name, case in PART_KEYS.items()},
    **{f"key barriers.{name}": case for name, case in BARRIER_KEYS.items()},
}


def write_files(place: Path) -> None:
    """The same bars in every shape that an option is made for."""
    bars = random_walk(BARS, 7, beta=0.8).frame()
    plain = bars.write_csv(datetime_format="%Y-%m-%dT%H:%M:%SZ")
    lines = plain.splitlines(keepends=True)
    prices = bars.with_columns(pl.col(COLUMNS[:4]) * 100)
    grouped = prices.with_columns(pl.col("close").map_elements(lambda price: f"{price:,.9f}", pl.String))
    berlin = bars.with_columns(pl.col("timestamp").dt.offset_by("299d8h").dt.convert_time_zone("Europe/Berlin"))
    files = {
        "SYNTH.csv": plain,
        "SYNTH_seed8.csv": random_walk(BARS, 8, beta=0.8, symbol="SYNTH_8").frame().write_csv(),
        "naive.csv": bars.write_csv(datetime_format="%Y-%m-%d %H:%M:%S"),
        "compact.csv": bars.write_csv(datetime_format="%Y%m%d %H%M%S"),
        "epoch.csv": bars.with_columns(pl.col("timestamp").dt.timestamp("ms")).write_csv(),
        "semicolon.csv": plain.replace(",", ";"),
        "decimal_comma.csv": plain.replace(",", ";").replace(".", ","),
        "thousands.csv": grouped.write_csv(datetime_format="%Y-%m-%dT%H:%M:%SZ"),
        "lots.csv": plain.replace("volume", "lots", 1),
        "unsorted.csv": "".join([*lines[:10], lines[11], lines[10], *lines[12:]]),
        "repeated.csv": "".join([*lines[:10], lines[9], *lines[10:]]),
        "berlin.csv": berlin.write_csv(datetime_format="%Y-%m-%d %H:%M:%S"),
        "mine.yaml": write_yaml({"SYNTH": {"fee_bps": 9.0}}),
    }
    for name, text in files.items():
        (place / name).write_text(text, encoding="utf-8")
    (place / "utf16.csv").write_text(plain, encoding="utf-16")


@pytest.fixture(scope="module")
def built(folder):
    """`built(arguments)` runs one `data build` in a folder of bar files and tells what can be seen of it."""
    place = folder / "build"
    place.mkdir()
    write_files(place)

    @cache
    def build(arguments: tuple[str, ...]) -> dict[str, Any]:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(place)
            patch.setattr(dataset_report, "write_dataset_report", lambda _: None)
            patch.setattr(os, "fsync", lambda _: None)
            before = set(place.glob("*/dataset.json"))
            answer = call("data", "build", *arguments, environment={"OMP_NUM_THREADS": "2"})
            new = [path.parent for path in place.glob("*/dataset.json") if path not in before]
            seen = observed(answer, new[0] if new else None)
            for path in new:
                path.rename(folder / f"built_{len(list(folder.iterdir()))}")
            return seen

    return build
