"""`audit`: does a dataset, a feature, a model, a run or a study know what it could not have known?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ohlcv_factory.cli import options
from ohlcv_factory.cli.console import emit, table
from ohlcv_factory.cli.runs import Run

if TYPE_CHECKING:
    from ohlcv_factory.audit.outcome import Finding
    from ohlcv_factory.audit.subject import Subject
    from ohlcv_factory.audit.violation import Violation

EXIT_FAILED = 1
SYNTHETIC_BARS = 5000

Checks = Annotated[
    list[str] | None, typer.Option("--check", help="Only this check, comma between several; default: all.")
]
Last = Annotated[
    int, typer.Option("--last", min=500, help="Newest bars that columns are tested on; slow columns need more.")
]
DatasetMoved = Annotated[Path | None, typer.Option("--dataset", help="Dataset folder, where it has moved.")]

application = typer.Typer(help="Is it honest?", no_args_is_help=True)


@application.callback()
def _root() -> None:
    """Is it honest? One table: check, verdict, size, what to do; exit code 1 where a check fails."""


@application.command("dataset")
def dataset(
    folder: Annotated[Path, typer.Argument(help="Dataset folder.")],
    experiments: Annotated[
        Path | None, typer.Option("--experiments", help="Folder with the ledger; default: experiments.")
    ] = None,
    checks: Checks = None,
    last: Last = 5000,
    plugins: options.Plugins = None,
    threads: options.Threads = None,
    as_json: options.AsJson = False,
) -> None:
    """A dataset: its columns and labels, what it stores, how its rows are divided, looks at its test part."""
    _prepare(plugins, threads)

    from ohlcv_factory.audit.subject import dataset_subject

    _told(lambda: dataset_subject(folder, last=last, experiments=experiments), "dataset", checks, as_json)


@application.command("features")
@options.with_reading
def features(
    *,
    bars: Annotated[
        list[Path] | None, typer.Option("--bars", help="Bar file; repeat it for more. Default: a random walk.")
    ] = None,
    plugins: options.Plugins = None,
    names: Annotated[
        str | None, typer.Option("--features", help="Only these columns, comma between; default: those of the plugins.")
    ] = None,
    checks: Checks = None,
    last: Last = 5000,
    bar_size: options.BarSize = None,
    instruments: options.Instruments = None,
    reading: dict[str, Any],
    threads: options.Threads = None,
    as_json: options.AsJson = False,
) -> None:
    """Columns, built in or one's own, on bars of yours or on a random walk; without --plugin and --features all of them."""
    _prepare(plugins, threads)

    from ohlcv_factory.audit.audited_bars import audited_features, features_of_files
    from ohlcv_factory.audit.subject import features_subject
    from ohlcv_factory.bars.instruments import find_instrument

    chosen = audited_features(options.words(names)) if names or not plugins else features_of_files(plugins)
    own = Path(instruments) if instruments else None
    series = [(one, find_instrument(one.symbol, own)) for one in _series(bars, bar_size, reading)]
    _told(lambda: features_subject(series, chosen, last=last), "features", checks, as_json)


@application.command("model")
def model(
    name: Annotated[
        str,
        typer.Argument(help="Registered model, of ours, of an installed package or of a --plugin; or a plugin file."),
    ],
    plugins: options.Plugins = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="A hyper-parameter: --set max_depth=4")] = None,
    checks: Checks = None,
    threads: options.Threads = None,
    as_json: options.AsJson = False,
) -> None:
    """A model on a synthetic market with a planted signal; a network in a small size, unless --set says otherwise."""
    file = [name] if name.endswith(".py") else []
    _prepare([*file, *(plugins or ())], threads)

    from ohlcv_factory.audit.subject import model_subject
    from ohlcv_factory.config import Layers
    from ohlcv_factory.models.registry import ModelRegistry

    settings = Layers.merge([], overrides or (), {}).values
    audited = ModelRegistry.of_file(name) if file else name
    _told(lambda: model_subject(audited, settings), "model", checks, as_json)


@application.command("run")
def run(
    folder: Run,
    moved: DatasetMoved = None,
    checks: Checks = None,
    last: Last = 5000,
    plugins: options.Plugins = None,
    threads: options.Threads = None,
    as_json: options.AsJson = False,
) -> None:
    """A finished run: its dataset, its way from raw bars to probabilities, and its fit, made again several times."""
    from ohlcv_factory.runtime.threads import set_threads

    set_threads(threads)

    from ohlcv_factory.audit.subject import run_subject
    from ohlcv_factory.studies.run_folders import find_run

    place = find_run(folder)
    _prepare(plugins, threads or recorded_threads(place, "training_config.yaml"))

    _told(lambda: run_subject(place, dataset=moved, last=last), "run", checks, as_json)


@application.command("study")
def study(
    folder: Annotated[Path, typer.Argument(help="Folder of a cross-validation.")],
    moved: DatasetMoved = None,
    checks: Checks = None,
    last: Last = 5000,
    plugins: options.Plugins = None,
    threads: options.Threads = None,
    as_json: options.AsJson = False,
) -> None:
    """A finished cross-validation: its dataset, the rows of every fold, and the last fold, fitted again."""
    _prepare(plugins, threads or recorded_threads(folder, "study.yaml"))

    from ohlcv_factory.audit.subject import study_subject

    _told(lambda: study_subject(folder, dataset=moved, last=last), "study", checks, as_json)


def recorded_threads(folder: Path, recipe: str) -> int | None:
    """The threads that a run or a study was made with: other ones may give other bits.

    None where nothing is finished. Raises VerificationError (76) and DataError (65) where the recipe is not what was written.
    """
    from ohlcv_factory.storage.formats import read_settings, told_as_damage
    from ohlcv_factory.storage.manifests import MANIFEST, check_files, read_manifest

    if not (folder / MANIFEST).is_file():
        return None
    manifest, asked = read_manifest(folder), folder / "config" / recipe
    check_files(folder, manifest, only=(f"config/{recipe}",))
    recorded = read_settings(asked).get("threads") if asked.is_file() else None
    with told_as_damage(asked):
        threads = recorded or manifest.get("threads")
        return None if threads is None else int(threads)


def audit_values(subject: Subject, findings: Sequence[Finding]) -> dict[str, Any]:
    """What `--json` prints."""
    from ohlcv_factory.audit.checks import failed

    return {
        "kind": subject.kind,
        "subject": subject.name,
        "passed": not failed(findings),
        "checks": [finding.plain() for finding in findings],
    }


def audit_text(subject: Subject, findings: Sequence[Finding]) -> str:
    """The table of the checks; below, the violations of those that fail and what to do about them."""
    verdicts = [finding.outcome.verdict for finding in findings]
    counts = ", ".join(f"{verdicts.count(each)} {each}" for each in ("pass", "fail", "skipped") if each in verdicts)
    rows = [(each.check, each.outcome.verdict, each.outcome.size, each.advice) for each in findings]
    parts = [f"{subject.kind} {subject.name}: {counts}", table(("check", "verdict", "size", "what to do"), rows)]
    violations = [one for finding in findings for one in finding.outcome.violations]
    return "\n\n".join([*parts, *([_violations(violations)] if violations else [])])


def _prepare(plugins: list[str] | None, threads: int | None) -> None:
    """Threads first, then the user's files."""
    from ohlcv_factory.runtime.threads import set_threads

    set_threads(threads)

    from ohlcv_factory.runtime.plugin_files import load_plugins

    load_plugins(plugins or ())


def _told(made: Any, kind: Any, checks: list[str] | None, as_json: bool) -> None:
    """Make the subject, run its checks and print what they say; exit code 1 where one fails."""
    from ohlcv_factory.audit.checks import audit, checks_for, failed

    names = [name for text in checks for name in options.words(text) or ()] if checks else None
    checks_for(kind, names)  # a wrong name is refused before any work
    subject = made()
    findings = audit(subject, names)
    emit(audit_values(subject, findings), audit_text(subject, findings), as_json)
    if failed(findings):
        raise typer.Exit(EXIT_FAILED)


def _series(bars: list[Path] | None, bar_size: str | None, reading: dict[str, Any]) -> list[Any]:
    """The bars that were named, or a random walk."""
    from ohlcv_factory.bars.load import ReadOptions, read_bars
    from ohlcv_factory.bars.resample import resample
    from ohlcv_factory.bars.sizes import bar_seconds
    from ohlcv_factory.bars.synthetic import random_walk

    read = ReadOptions.parse(options.reading_values(reading), where="flags")
    series = [read_bars(path, read).bars for path in bars] if bars else [random_walk(SYNTHETIC_BARS, 1)]
    return [resample(one, bar_seconds(bar_size)) if bar_size else one for one in series]


def _violations(violations: Sequence[Violation]) -> str:
    rows = [(one.test, one.feature, one.bar, one.time or None, _size(one.size), one.complaint) for one in violations]
    return table(("found by", "where", "bar", "time", "size", "what was found"), rows)


def _size(size: float | None) -> str:
    return "missing" if size is None else f"{size:.3g}"
