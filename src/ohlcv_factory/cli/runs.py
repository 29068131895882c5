"""`runs` and `verify`: the runs of an experiments folder, listed, compared key by key, tagged, checked and removed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ohlcv_factory.cli import options
from ohlcv_factory.cli.console import emit, table

if TYPE_CHECKING:
    from ohlcv_factory.studies.run_folders import RunFacts

application = typer.Typer(no_args_is_help=True, help="The runs of an experiments folder.")

Folder = Annotated[Path, typer.Argument(help="Folder of runs, or of experiments.")]
Run = Annotated[Path, typer.Argument(help="Run folder; DIR/latest is the run of DIR that finished last.")]
Runs = Annotated[list[Path], typer.Argument(help="Run folders.")]
Tag = Annotated[str | None, typer.Option("--tag", help="Only runs with this tag.")]
State = Annotated[
    str | None,
    typer.Option("--state", help="Only CREATED, RUNNING, FINISHED, FAILED, INTERRUPTED, LOST or DAMAGED runs."),
]
DEFAULT = Path("experiments/runs")


@application.command("list")
def list_(folder: Folder = DEFAULT, tag: Tag = None, state: State = None, as_json: options.AsJson = False) -> None:
    """State, size, tags and verdict of every run, unfinished ones too; oldest first."""
    from ohlcv_factory.studies.run_folders import list_runs

    runs = list_runs(folder, tag=tag, state=state)
    emit([run.plain() for run in runs], list_text(runs), as_json)


@application.command()
def show(run: Run, as_json: options.AsJson = False) -> None:
    """What became of one run."""
    from ohlcv_factory.studies.run_folders import find_run, run_facts

    facts = run_facts(find_run(run)).plain()
    emit(facts, "\n".join(f"{name}: {_words(value)}" for name, value in facts.items()), as_json)


@application.command()
def diff(first: Run, second: Run, as_json: options.AsJson = False) -> None:
    """Data, settings, package versions and scores in which two finished runs differ."""
    from dataclasses import asdict

    from ohlcv_factory.studies.run_folders import differences, find_run

    found = differences(find_run(first), find_run(second))
    rows = [(each.kind, each.name, _words(each.first), _words(each.second)) for each in found]
    text = table(("what", "name", "first", "second"), rows) if rows else "no difference"
    emit([asdict(each) for each in found], text, as_json)


@application.command()
def tag(
    run: Run,
    add: Annotated[list[str] | None, typer.Option("--add", help="Tag to add; repeat it for more.")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", help="Tag to take away; repeat it for more.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Add and remove tags; without either, print them."""
    from ohlcv_factory.studies.run_folders import change_tags, find_run, tags_of

    folder = find_run(run)
    tags = change_tags(folder, add=add or (), remove=remove or ()) if add or remove else tags_of(folder)
    emit({"run": str(folder), "tags": tags}, f"{folder.name}: {_words(tags)}", as_json)


@application.command()
def rm(
    runs: Runs,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed; remove nothing.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Delete runs that nobody works on. Their trials stay in the ledger."""
    from ohlcv_factory.studies.run_folders import find_run, run_facts

    named = dict.fromkeys(find_run(run) for run in runs)
    _remove([run_facts(run) for run in named], dry_run, as_json)


@application.command()
def prune(
    folder: Folder = DEFAULT,
    keep: Annotated[int, typer.Option("--keep", help="Newest runs to keep of each model, horizon and symbols.")] = 3,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed; remove nothing.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Delete all but the newest finished runs of each kind; runs with a tag and unfinished ones stay."""
    from ohlcv_factory.studies.run_folders import list_runs, outdated

    _remove(outdated(list_runs(folder), keep), dry_run, as_json)


@application.command()
def index(
    folder: Folder = DEFAULT,
    out: Annotated[
        Path | None, typer.Option("--out", help="The HTML file; default: index.html beside the folder of runs.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Write one HTML page of every run, with columns that sort by a click."""
    from ohlcv_factory.reports.run_index import write_run_index
    from ohlcv_factory.storage.experiments import experiments_folder, inside

    path = write_run_index(folder, out or experiments_folder(inside(folder)) / "index.html")
    emit({"index": str(path)}, f"index: {path}", as_json)


def verify(run: Run, as_json: options.AsJson = False) -> None:
    """Compare every file of a finished run with its manifest, and print the manifest's own digest; it can be pinned.

    The model is loaded and predicts its reference rows again, where its libraries and plugins are at hand.
    """
    from ohlcv_factory.storage.manifests import manifest_digest
    from ohlcv_factory.studies.run_folders import find_run
    from ohlcv_factory.studies.run_folders import verify as verify_run

    folder = find_run(run)
    count, digest = verify_run(folder), manifest_digest(folder)
    values = {"run": str(folder), "files": count, "manifest_sha256": digest}
    text = f"{folder.name}: all {count} files are those that were written\nmanifest: sha256 {digest}"
    emit(values, text, as_json)


def list_text(runs: Sequence[RunFacts]) -> str:
    """The table of `runs list`, and the sum of sizes."""
    rows = [
        (
            run.path.name,
            run.state,
            run.model or "-",
            run.horizon,
            ", ".join(run.symbols) or "-",
            run.sharpe_ratio,
            run.verdict or "-",
            f"{run.size_bytes / 1e6:.1f} MB",
            ", ".join(run.tags) or "-",
        )
        for run in runs
    ]
    header = ("run", "state", "model", "horizon", "symbols", "Sharpe, net", "verdict", "size", "tags")
    total = sum(run.size_bytes for run in runs) / 1e6
    return f"{table(header, rows)}\n{len(runs)} runs, {total:.1f} MB" if runs else "no runs"


def _remove(runs: Sequence[RunFacts], dry_run: bool, as_json: bool) -> None:
    from ohlcv_factory.studies.run_folders import remove_run

    if not dry_run:
        for run in runs:
            remove_run(run.path)
    freed = sum(run.size_bytes for run in runs)
    names = [run.path.name for run in runs]
    heading = f"{'would remove' if dry_run else 'removed'} {len(runs)} runs, {freed / 1e6:.1f} MB"
    values = {"removed": [] if dry_run else names, "would_remove": names if dry_run else [], "bytes": freed}
    emit(values, "\n".join([heading, *names]), as_json)


def _words(value: object) -> str:
    if value in (None, "", ()):
        return "-"
    return ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
