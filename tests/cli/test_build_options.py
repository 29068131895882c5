"""Every option, flag and key of `data build` changes something one can see, or is refused.

One table. A case runs `data build` twice on a file that its option is made for, without and with its change, and names
what must differ; an option or key without a case fails the suite.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from command_line import BARRIERS, FEATURES, Answer, call
from option_cases import flags_of
from own_features import OWN_FEATURE, own_features

from ohlcv_factory.bars.options import ReadOptions
from ohlcv_factory.bars.rolls import Rolls
from ohlcv_factory.bars.schema import COLUMNS
from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.cli.recipes import BuildRecipe
from ohlcv_factory.config import write_yaml
from ohlcv_factory.dataset.settings import BarrierOverride
from ohlcv_factory.splits.chronological import PartShares
from ohlcv_factory.storage.formats import read_json

BARS = 4000


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


NO_BARRIERS = ("--set", "barriers={}")
FIXED = ("--label", "fixed_horizon", *NO_BARRIERS)
WITH_OWN = ("--set", "features=[return_1, gap_5]")
FLAGS = {
    "files": Case(("SYNTH_seed8.csv",), "symbols", file=""),
    "out": Case(("--out", "elsewhere"), "folder"),
    "config": Case({"history_bars": 300}, "parts"),
    "overrides": Case(("--set", "history_bars=300"), "parts"),
    "bar_size": Case(("--bar-size", "10min"), "bars", base=("--set", "history_bars=0")),
    "horizons": Case(("--horizons", "5"), "labels"),
    "label": Case(("--label", "fixed_horizon"), "labels", base=NO_BARRIERS),
    "theta": Case(("--theta", "1"), "labels", base=FIXED),
    "cost_aware": Case(("--cost-aware",), "labels"),
    "session_end": Case(("--session-end",), "labels"),
    "embargo": Case(("--embargo", "0"), "parts"),
    "instruments": Case(("--instruments", "mine.yaml"), "instruments"),
    "plugins": Case(("--plugin", "own.py"), "code", base=WITH_OWN),
    "threads": Case(("--threads", "1"), "threads"),
    "dry_run": Case(("--dry-run",), "folder"),
    "as_json": Case(("--json",), "is_json"),
    "dialect": Case(("--dialect", "alphavantage"), "code", "naive.csv"),
    "symbol": Case(("--symbol", "OTHER"), "symbols"),
    "contracts": Case(("--contract", "H4"), "code", "contracts.csv"),
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
    "price_scale": Case(("--price-scale", "10"), "bars"),
    "volume_scale": Case(("--volume-scale", "10"), "bars"),
    "cleaning": Case(("--clean", "drop_duplicates"), "code", "repeated.csv"),
}
"""By the name of Typer's parameter."""

KEYS = {
    "read": read("stamp", "close", "bars"),
    "bar_size": Case({"bar_size": "10min"}, "bars", base=("--set", "history_bars=0")),
    "rolls": Case({"rolls": {"handling": "cut"}}, "parts", "rolled.csv", base=("--set", "history_bars=0")),
    "horizons": Case({"horizons": [5]}, "labels"),
    "barriers": Case({"barriers": {10: {"max_bars": 12}}}, "labels"),
    "label": Case({"label": "fixed_horizon"}, "labels", base=NO_BARRIERS),
    "theta": Case({"theta": 1.0}, "labels", base=FIXED),
    "sigma_bars": Case({"sigma_bars": 50}, "labels", base=FIXED),
    "cost_aware": Case({"cost_aware": True}, "labels"),
    "session_end": Case({"session_end": True}, "labels"),
    "entry": Case({"entry": "close"}, "labels"),
    "timeframes": Case(
        {"timeframes": ["1h"]}, "features", file="SYNTH_long.csv", base=("--set", "features=[rsi_14, rsi_14_15m]")
    ),
    "features": Case({"features": ["return_1"]}, "features"),
    "plugins": Case({"plugins": ["own.py"]}, "code", base=WITH_OWN),
    "history_bars": Case({"history_bars": 300}, "parts"),
    "parts": Case({"parts": {"train": 0.6}}, "parts"),
    "embargo_days": Case({"embargo_days": 0}, "parts"),
    "instruments": Case({"instruments": "mine.yaml"}, "instruments"),
    "sources": Case({"sources": ["SYNTH_seed8.csv"]}, "symbols", file=""),
    "out": Case({"out": "elsewhere"}, "folder"),
}
READ_KEYS = {
    "dialect": read("dialect", "alphavantage", "code", "naive.csv"),
    "symbol": read("symbol", "OTHER", "symbols"),
    "contracts": read("contracts", ["H4"], "code", "contracts.csv"),
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
    "price_scale": read("price_scale", 10.0, "bars"),
    "volume_scale": read("volume_scale", 10.0, "bars"),
    "cleaning": read("cleaning", ["drop_duplicates"], "code", "repeated.csv"),
}
ROLL_KEYS = {
    "handling": Case({"rolls": {"handling": "cut"}}, "parts", "rolled.csv", base=("--set", "history_bars=0")),
    "at": Case({"rolls": {"at": ["2024-01-05T00:00:00Z"]}}, "labels"),
    "detect": Case({"rolls": {"detect": True}}, "notes", "jump.csv"),
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
    **{f"key rolls.{name}": case for name, case in ROLL_KEYS.items()},
    **{f"key parts.{name}": case for name, case in PART_KEYS.items()},
    **{f"key barriers.{name}": case for name, case in BARRIER_KEYS.items()},
}


def higher_from(bars: pl.DataFrame, row: int, contract: str = "H4") -> pl.DataFrame:
    """The bars with prices a tenth higher from a row on, as those of another contract."""
    later = pl.int_range(pl.len()) >= row
    prices = [pl.when(later).then(pl.col(name) * 1.1).otherwise(pl.col(name)).alias(name) for name in COLUMNS[:4]]
    return bars.with_columns(*prices, contract=pl.when(later).then(pl.lit(contract)).otherwise(pl.lit("H4")))


def write_files(place: Path) -> None:
    """The same bars in every shape that an option is made for."""
    bars = random_walk(BARS, 7, beta=0.8).frame().with_columns(open=(pl.col("open") + pl.col("close")) / 2)
    plain = bars.write_csv(datetime_format="%Y-%m-%dT%H:%M:%SZ")
    lines = plain.splitlines(keepends=True)
    grouped = bars.with_columns(
        (pl.col(name) * 100).map_elements(lambda price: f"{price:,.9f}", pl.String) for name in COLUMNS[:4]
    )
    moved = bars.with_columns(pl.col("timestamp").dt.offset_by("299d8h"))  # over the end of summer time
    doubled = moved["timestamp"].is_between(
        datetime(2024, 10, 27, 0, tzinfo=UTC), datetime(2024, 10, 27, 1, tzinfo=UTC), "left"
    )
    berlin = moved.filter(~doubled).with_columns(pl.col("timestamp").dt.convert_time_zone("Europe/Berlin"))
    files = {
        "SYNTH.csv": plain,
        "SYNTH_long.csv": random_walk(6000, 7).frame().write_csv(),  # enough for the warm-up of 15-minute features
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
        "contracts.csv": "".join(
            [f"contract,{lines[0]}", *(f"H4,{line}" for line in lines[1:]), f"M4,{lines[-1]}"]  # two at one time
        ),
        "rolled.csv": higher_from(bars, 1500, "M4").write_csv(datetime_format="%Y-%m-%dT%H:%M:%SZ"),
        "jump.csv": higher_from(bars, 4 * 288).drop("contract").write_csv(datetime_format="%Y-%m-%dT%H:%M:%SZ"),
        "berlin.csv": berlin.write_csv(datetime_format="%Y-%m-%d %H:%M:%S"),
        "own.py": OWN_FEATURE,
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
        with own_features(), pytest.MonkeyPatch.context() as patch:
            patch.chdir(place)
            patch.setattr(os, "fsync", lambda _: None)
            before = set(place.glob("*/dataset.json"))
            answer = call("data", "build", *arguments, environment={"OMP_NUM_THREADS": "2"})
            new = [path.parent for path in place.glob("*/dataset.json") if path not in before]
            seen = observed(answer, new[0] if new else None)
            for path in new:
                shutil.rmtree(path)
            return seen

    return build


def observed(answer: Answer, dataset: Path | None) -> dict[str, Any]:
    """What a user can see of one command and its dataset folder."""
    seen: dict[str, Any] = {
        "answer": answer,
        "code": answer.code,
        "is_json": answer.out.startswith("{"),
        "folder": dataset.name if dataset else None,
        "threads": answer.environment["POLARS_MAX_THREADS"],
    }
    if dataset:
        manifest = read_json(dataset / "dataset.json")
        instruments = [entry["instrument"] for entry in manifest["symbols"]]
        frames = [pl.read_parquet(dataset / entry["file"]) for entry in manifest["symbols"]]
        seen |= {
            "symbols": [instrument["symbol"] for instrument in instruments],
            "instruments": instruments,
            "notes": [*manifest["warnings"], *(text for each in manifest["sources"] for text in each["warnings"])],
            "bars": digest(frames, "^(timestamp|open|high|low|close|volume)$"),
            "features": digest(frames, "^(return|rsi|atr|volume_ratio|hour).*$"),
            "labels": digest(frames, r"^h\d+_.*$"),
            "parts": digest(frames, "^part$"),
        }
    return seen


def digest(frames: list[pl.DataFrame], columns: str) -> str:
    """SHA-256 over the columns whose names match."""
    texts = [frame.select(pl.col(columns)).write_csv() for frame in frames]
    return hashlib.sha256("".join(texts).encode()).hexdigest()


@pytest.mark.parametrize("name", ALL)
def test_every_option_acts_or_is_refused(name, built, tmp_path):
    case = ALL[name]
    before = built(command(case, ()))
    if isinstance(case.change, dict):
        recipe = tmp_path / "recipe.yaml"
        recipe.write_text(write_yaml(case.change), encoding="utf-8")
        after = built(command(case, ("--config", str(recipe))))
    else:
        after = built(command(case, case.change))
    assert after["code"] == case.code, after["answer"].err
    assert before.get(case.differs) != after.get(case.differs)
    if 0 not in (before["code"], case.code) or before["code"] != case.code:
        refused = next(seen["answer"] for seen in (before, after) if seen["code"])
        assert "  help: " in refused.err


def command(case: Case, change: tuple[str, ...]) -> tuple[str, ...]:
    """The arguments of one build; a flag would win over a recipe's key, so the change's own default is left out."""
    keys = case.change if isinstance(case.change, dict) else {}
    defaults: dict[str, tuple[str, ...]] = {
        "sources": (case.file,) if case.file else (),
        "out": ("--out", "dataset"),
        "horizons": ("--horizons", "5,10"),
        "embargo_days": ("--embargo", "auto"),
        "features": ("--set", FEATURES),
        **{f"barriers.{horizon}": flags for horizon, flags in BARRIERS.items()},
    }
    given = [
        name for name, flags in defaults.items() if flags and flags[0] in (*case.base, *change) and flags[0] != "--set"
    ]
    arguments = (*case.base, *change)
    horizons = (5,) if keys.get("horizons") == [5] or arguments[:2] == ("--horizons", "5") else (5, 10)
    idle = {f"barriers.{horizon}" for horizon in BARRIERS if horizon not in horizons or "barriers" in keys}
    kept = [flags for name, flags in defaults.items() if name not in (*keys, *given, *idle)]
    return (*(part for flags in kept for part in flags), *case.base, *change)


def test_every_flag_of_data_build_has_a_case():
    assert flags_of("data", "build") == set(FLAGS)


@pytest.mark.parametrize(
    ("settings", "cases"),
    [
        (BuildRecipe, KEYS),
        (ReadOptions, READ_KEYS),
        (PartShares, PART_KEYS),
        (Rolls, ROLL_KEYS),
        (BarrierOverride, BARRIER_KEYS),
    ],
)
def test_every_key_of_a_build_recipe_has_a_case(settings, cases):
    assert set(settings.model_fields) == set(cases)
