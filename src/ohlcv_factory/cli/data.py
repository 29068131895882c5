"""`data …`: bar files to a report of what they hold and to a dataset; a dataset described and continued."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ohlcv_factory.cli import options
from ohlcv_factory.cli.console import emit, fact_lines, table

if TYPE_CHECKING:
    from ohlcv_factory.bars.load import BarFile
    from ohlcv_factory.cli.recipes import BuildRecipe
    from ohlcv_factory.dataset.build import Dataset

CHECKED_KEYS = ("sources", "read", "instruments")
"""Settings of `data build` that `data check` obeys."""

application = typer.Typer(help="Check bar files, build datasets.", no_args_is_help=True)

Files = Annotated[
    list[str] | None, typer.Argument(help="Bar files and folders of them; files of one symbol are joined.")
]
Report = Annotated[
    Path | None,
    typer.Option("--report", help="New folder for report.html and report.json: sessions, gaps, holes, jumps, rolls."),
]


@application.command("check")
@options.with_reading
def check(
    *,
    files: Files = None,
    report: Report = None,
    instruments: options.Instruments = None,
    config: options.ConfigFile = None,
    overrides: options.Overrides = None,
    reading: dict[str, Any],
    as_json: options.AsJson = False,
) -> None:
    """Read bar files and say what was assumed and what is wrong with them."""
    from ohlcv_factory.cli.recipes import BuildRecipe, read_recipe
    from ohlcv_factory.storage.atomic import create_folder

    flags = {
        "sources": files or None,
        "instruments": instruments,
        **reading,
    }
    refuse_idle_overrides(overrides)
    recipe, _ = read_recipe(BuildRecipe, config, overrides, flags)
    if report is not None:
        create_folder(report, must_be_new=True)
    read = read_sources(recipe)
    if report is not None:
        write_report(recipe, read, report)
    accounts = [{"symbol": file.bars.symbol, **file.account.plain()} for file in read]
    emit(accounts, "\n\n".join(account_text(account) for account in accounts), as_json)


def refuse_idle_overrides(overrides: Sequence[str] | None) -> None:
    """Raise UsageError (2) for a key of `data build` that cannot act on a check; in a recipe file it may stand."""
    from ohlcv_factory.errors import UsageError

    for override in overrides or ():
        key = override.partition("=")[0]
        if key.partition(".")[0] not in CHECKED_KEYS:
            raise UsageError(
                f"{key} does nothing in data check.", where="--set", help=f"it takes keys of {', '.join(CHECKED_KEYS)}"
            )


def write_report(recipe: BuildRecipe, files: Sequence[BarFile], folder: Path) -> None:
    """Write what the files hold against their calendars into a folder, as a page and as JSON."""
    from ohlcv_factory.reports.data_page import write_data_report
    from ohlcv_factory.reports.data_report import data_report

    found = {file.bars.symbol: recipe.instrument(file.bars.symbol) for file in files}
    write_data_report(data_report(files, found), folder)


@application.command("build")
@options.with_reading
@options.with_flags(options.BUILD)
def build(
    *,
    files: Files = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the dataset; must be new or empty.")] = None,
    config: options.ConfigFile = None,
    overrides: options.Overrides = None,
    horizons: Annotated[str | None, typer.Option("--horizons", help="Label horizons in bars: 5,10,15,20")] = None,
    label: Annotated[
        str | None,
        typer.Option("--label", help="triple_barrier (first barrier touched) or fixed_horizon (return after H bars)."),
    ] = None,
    theta: Annotated[
        float | None, typer.Option("--theta", help="Threshold of fixed_horizon labels, in sigma of H bars.")
    ] = None,
    cost_aware: Annotated[
        bool | None, typer.Option("--cost-aware", help="Label moves that do not earn more than their costs neutral.")
    ] = None,
    session_end: Annotated[
        bool | None, typer.Option("--session-end", help="No label and no position beyond the end of its session.")
    ] = None,
    threads: options.Threads = None,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
    keys: dict[str, Any],
    reading: dict[str, Any],
) -> None:
    """Build a dataset: features, labels of every horizon, parts, manifest and report."""
    from ohlcv_factory.cli.recipes import BuildRecipe, placed, read_recipe
    from ohlcv_factory.errors import UsageError
    from ohlcv_factory.runtime.threads import set_threads

    set_threads(threads)
    flags = {
        "sources": files or None,
        "out": out,
        "horizons": options.integers(horizons, "--horizons"),
        "label": label,
        "theta": theta,
        "cost_aware": cost_aware,
        "session_end": session_end,
        **keys,
        **reading,
    }
    recipe, layers = read_recipe(BuildRecipe, config, overrides, flags)
    if recipe.out is None:
        raise UsageError("data build needs --out DIR.", where="--out", help="a new folder for the dataset")
    options.refuse_inside(recipe.out, *recipe.sources)
    if dry_run:
        plan = build_plan(recipe)
        emit(plan, fact_lines(plan), as_json)
        return
    with placed(layers, data=recipe.sources):
        summary = build_and_write(recipe, recipe.out)
    emit(summary, build_text(summary), as_json)


@application.command("dialects")
def dialects(*, as_json: options.AsJson = False) -> None:
    """List the exporters whose files are known: zone, stamp, and what to know about them."""
    from ohlcv_factory.bars.dialects import DIALECTS

    facts = [
        {
            "dialect": dialect.name,
            "zone": dialect.tz or dialect.tz_if_named or "in the times, or --tz",
            "stamp": dialect.stamp or "--stamp",
            "detected": dialect.detected,
            "about": dialect.about,
            "example": dialect.example,
        }
        for dialect in DIALECTS
    ]
    shown = ("dialect", "zone", "stamp", "about")
    emit(facts, table(shown, [[each[name] for name in shown] for each in facts]), as_json)


@application.command("describe")
def describe(
    dataset: Annotated[Path, typer.Argument(help="Dataset folder, as `data build` made it.")],
    as_json: options.AsJson = False,
) -> None:
    """Say what a dataset holds: rows, parts, labels beside a random walk's, notes. Its files are not read."""
    from ohlcv_factory.dataset.store import read_manifest

    manifest = read_manifest(dataset)
    summary = {
        "dataset": str(dataset),
        **manifest["summary"],
        "notes": _notes(manifest["sources"], manifest["warnings"]),
    }
    facts = {**summary, "left_out": manifest["left_out"]}
    keys = ("fingerprint", "created_by", "feature_catalogue", "config", "feature_names", "plugins")
    emit({**facts, **{key: manifest[key] for key in keys}}, build_text(facts), as_json)


@application.command("update")
@options.with_reading
def update(
    *,
    dataset: Annotated[Path, typer.Argument(help="Dataset folder, as `data build` made it.")],
    files: Files = None,
    resplit: Annotated[bool, typer.Option("--resplit", help="Build it anew: find parts and columns again.")] = False,
    plugins: options.Plugins = None,
    reading: dict[str, Any],
    threads: options.Threads = None,
    as_json: options.AsJson = False,
) -> None:
    """Continue a dataset with newer bars: parts keep their dates, only new rows are computed."""
    from ohlcv_factory.runtime.threads import set_threads

    set_threads(threads)
    summary = update_and_write(dataset, files or [], reading, plugins or [], resplit=resplit)
    emit(summary, build_text(summary), as_json)


def update_and_write(
    folder: Path, sources: list[str], reading: dict[str, Any], plugins: list[str], *, resplit: bool
) -> dict[str, Any]:
    """Continue a dataset folder in place and return its summary; the folder is the old one or the new one, whole."""
    from ohlcv_factory.bars.load import read_sources
    from ohlcv_factory.bars.options import ReadOptions
    from ohlcv_factory.dataset.store import read_dataset, read_manifest
    from ohlcv_factory.dataset.update import update_dataset
    from ohlcv_factory.errors import UsageError
    from ohlcv_factory.runtime.plugin_files import load_plugins
    from ohlcv_factory.storage.atomic import replace_folder

    if not sources:
        raise UsageError("no bar file was named.", where="FILES", help="ohlcv-factory data update DIR NEWER.csv")
    manifest = read_manifest(folder)
    load_plugins(plugins)
    stored = read_dataset(folder)
    stored = replace(stored, config=stored.config.model_copy(update={"plugins": tuple(plugins)}))
    told = ReadOptions.parse({**stored.config.read.plain(), **options.reading_values(reading)}, where="flags")
    dataset = update_dataset(stored, read_sources(sources, told), manifest, resplit=resplit)
    newer = folder.with_name(f".{folder.name}.{secrets.token_hex(3)}")
    summary = _write(dataset, newer)
    replace_folder(folder, newer)
    return {**summary, "dataset": str(folder)}


def read_sources(recipe: BuildRecipe) -> tuple[BarFile, ...]:
    """Read every source of a recipe, one series per symbol. Raises UsageError (2) when it names none."""
    from ohlcv_factory.bars.load import read_sources

    return read_sources(recipe.sources, recipe.read)


def build_and_write(recipe: BuildRecipe, out: Path) -> dict[str, Any]:
    """Build a recipe's dataset, write it with its report, and return its summary."""
    from ohlcv_factory.dataset.build import build_dataset
    from ohlcv_factory.storage.atomic import create_folder

    create_folder(out, must_be_new=True)
    return _write(build_dataset(read_sources(recipe), recipe.dataset_config()), out)


def _write(dataset: Dataset, out: Path) -> dict[str, Any]:
    from ohlcv_factory.dataset.store import write_dataset
    from ohlcv_factory.dataset.summary import summarise
    from ohlcv_factory.reports.dataset_report import write_dataset_report

    summary = summarise(dataset)
    write_dataset(dataset, out, summary)
    write_dataset_report(out)
    notes = _notes(dataset.accounts, dataset.warnings)
    return {"dataset": str(out), **summary, "notes": notes, "left_out": dataset.left_out}


def build_plan(recipe: BuildRecipe) -> dict[str, Any]:
    """What a build would do: bars, columns, memory and a time estimated from the bars at hand."""
    from ohlcv_factory.bars.sizes import bar_seconds
    from ohlcv_factory.features.catalogue import catalogue
    from ohlcv_factory.runtime.plugin_files import load_plugins

    load_plugins(recipe.plugins)
    files = read_sources(recipe)
    ratio = [bar_seconds(recipe.bar_size) / file.bars.bar_seconds if recipe.bar_size else 1.0 for file in files]
    bars = sum(int(len(file.bars) / share) for file, share in zip(files, ratio, strict=True))
    columns = len(catalogue())
    return {
        "source_bars": sum(len(file.bars) for file in files),
        "bars": bars,
        "columns": columns,
        "horizons": list(recipe.horizons),
        "memory_gb": round(bars * (columns * 8 + len(recipe.horizons) * 100) / 1e9 + 0.25, 3),
        "estimated_seconds": round(1.5 + bars * columns * 4e-8 + bars * len(recipe.horizons) * 1e-6, 1),
        "out": str(recipe.out),
    }


def _notes(accounts: Sequence[dict[str, Any]], warnings: Sequence[str]) -> list[str]:
    assumed = [f"{account['symbol']}: {text}" for account in accounts for text in account["assumed"]]
    reading = [f"{account['symbol']}: {text}" for account in accounts for text in account["warnings"]]
    return [*assumed, *reading, *warnings]


def account_text(account: dict[str, Any]) -> str:
    """The account of one series as text."""
    lines = [
        f"{account['source']}: {account['rows']} bars of {account['symbol']}, {account['first']} to {account['last']}"
    ]
    if len(account["files"]) > 1:
        lines += [f"  file: {file['source']}, {file['rows']} rows" for file in account["files"]]
    lines += [f"  assumed: {text}" for text in account["assumed"]]
    lines += [f"  cleaned: {rule}: {count} rows" for rule, count in account["cleaned"].items()]
    lines += [f"  warning: {text}" for text in account["warnings"]]
    return "\n".join(lines)


def build_text(summary: dict[str, Any]) -> str:
    """The summary of a build as text: assumptions, parts, labels beside the random walk's."""
    lines = [f"dataset: {summary['dataset']}  ({summary['features']} feature columns)"]
    lines += [f"  note: {note}" for note in summary["notes"]]
    if summary["sample_to_feature"]["warning"]:
        lines.append(f"  warning: {summary['sample_to_feature']['warning']}")
    if summary["left_out"]:
        lines.append(f"  left out: {len(summary['left_out'])} columns, see the report")
    for part, facts in summary["parts"].items():
        if part != "embargo_days" and facts["rows"]:
            lines.append(f"  {part}: {facts['rows']} rows, {facts['first']} to {facts['last']}")
    lines.append("")
    lines.append(
        table(LABEL_HEADER, [row for symbol, facts in summary["symbols"].items() for row in _label_rows(symbol, facts)])
    )
    return "\n".join(lines)


LABEL_HEADER = (
    "symbol", "horizon", "labels", "short", "neutral", "long", "walk short", "walk neutral", "walk long", "bars to end",
    "time-outs", "ambiguous",
)  # fmt: skip


def _label_rows(symbol: str, facts: dict[str, Any]) -> list[list[Any]]:
    return [
        [
            symbol,
            int(horizon),
            labels["labelled"],
            *labels["class_shares"].values(),
            *labels["random_walk_shares"].values(),
            labels["mean_bars_to_end"],
            labels["timed_out_share"],
            labels["ambiguous_share"],
        ]
        for horizon, labels in facts["horizons"].items()
    ]
