"""`demo`: the whole way on real bars, six models, one report."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ohlcv_factory.cli import options
from ohlcv_factory.cli.console import emit

DEMO_PACKAGE = "gym_anytrading"
DEMO_BARS = Path("datasets") / "data" / "FOREX_EURUSD_1H_ASK.csv"
DEMO_READING = {"read.symbol": "EURUSD", "read.tz": "UTC", "read.date_format": "%d.%m.%Y %H:%M:%S.%f"}


@options.with_reading
def demo(
    *,
    files: Annotated[
        list[str] | None, typer.Argument(help="Your own bar files; default: hourly EURUSD of the extra demo.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for dataset, runs and report; default: demo, or the next free one."),
    ] = None,
    bar_size: options.BarSize = None,
    reading: dict[str, Any],
    threads: options.Threads = None,
    as_json: options.AsJson = False,
) -> None:
    """Six models at horizon 20 beside the baselines: dataset, runs, one HTML report, the newest bar predicted."""
    from ohlcv_factory.runtime.threads import set_threads

    set_threads(threads)

    from ohlcv_factory.cli.pipeline import Plan, run_everything
    from ohlcv_factory.cli.recipes import BuildRecipe, read_recipe
    from ohlcv_factory.cli.run import DEFAULT_MODELS

    sources, out = files or [str(demo_bars())], out or free_folder(Path("demo"))
    assumed = {} if files else DEMO_READING
    if assumed and not as_json:
        _introduce(assumed)
    flags = {
        "sources": sources,
        "out": out / "dataset",
        "horizons": [20],
        "embargo_days": "auto",
        "bar_size": bar_size,
        **assumed,
        **reading,
    }
    recipe, _ = read_recipe(BuildRecipe, None, None, flags)
    outcome = run_everything(Plan(recipe, tuple(DEFAULT_MODELS.split(",")), out), say=not as_json)
    emit(outcome.values, outcome.text, as_json)


def _introduce(assumed: Mapping[str, str]) -> None:
    typer.echo("demo bars: EURUSD, 1 hour, ask, of the package gym-anytrading (MIT)")
    passed = ", ".join(f"{key.removeprefix('read.')}={value}" for key, value in assumed.items())
    typer.echo(f"  passed to the reader: {passed}")


def free_folder(wanted: Path) -> Path:
    """`wanted` where it does not exist, else the first free one of `wanted-2`, `wanted-3`, …"""
    numbered = (wanted.with_name(f"{wanted.name}-{number}") for number in itertools.count(2))
    return next(path for path in itertools.chain([wanted], numbered) if not path.exists())


def demo_bars() -> Path:
    """The bar file of the extra `demo`; its package is found, never imported. Raises MissingExtraError (69)."""
    import importlib.util

    from ohlcv_factory.errors import MissingExtraError

    spec = importlib.util.find_spec(DEMO_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(
            "the demo's bars are not installed.",
            where=DEMO_PACKAGE,
            help="pip install 'ohlcv-model-factory[demo]', or name a file",
        )
    return Path(spec.submodule_search_locations[0]) / DEMO_BARS
