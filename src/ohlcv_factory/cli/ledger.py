"""`ledger show`: what was tried on which data, also by runs that are gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ohlcv_factory.cli import options
from ohlcv_factory.cli.console import emit, table

SHOWN_LETTERS = 12
"""Of a digest, in text; JSON has all of it."""
DATA_HEADER = ("data", "trials", "fits", "tuning trials", "thresholds", "looks at test")
ENTRY_HEADER = ("time", "kind", "model", "horizon", "run", "settings", "data")
WHAT_COUNTS = (
    "A trial is one configuration on one dataset: folds, retries and repetitions of it are not counted again; the choice of "
    "a threshold is one more. Looks at the test part are counted by themselves."
)

application = typer.Typer(help="What was tried.", no_args_is_help=True)


@application.callback()
def _root() -> None:
    """What was tried."""


@application.command("show")
def show(
    folder: Annotated[
        Path, typer.Argument(help="Experiments folder or sweep that holds ledger.sqlite, or that file.")
    ] = Path("experiments"),
    data: Annotated[
        str | None, typer.Option("--data", help="Only this dataset: its folder, or how its fingerprint begins.")
    ] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="Only fit, trial, threshold or test_look.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="Only this model.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Count trials by dataset and list the entries, oldest first; deleting runs does not delete their trials."""
    from ohlcv_factory.errors import InputMissingError, unknown_name
    from ohlcv_factory.storage.ledger import FILE_NAME, KINDS, Ledger

    if kind is not None and kind not in KINDS:
        raise unknown_name("kind of entry", kind, KINDS, where="--kind")
    path = folder / FILE_NAME if folder.is_dir() else folder
    if not path.is_file():
        raise InputMissingError(
            f"there is no trial ledger at {path}.", where=str(path), help="name the folder above runs/, or a sweep's"
        )
    digest = _digest(data)
    entries = [
        entry for entry in Ledger(path).entries(kind=kind, model=model) if entry["data_digest"].startswith(digest)
    ]
    values = ledger_values(path, entries)
    emit(values, ledger_text(values), as_json)


def ledger_values(path: Path, entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What `--json` prints: counts of all chosen entries and by dataset, and the entries."""
    from ohlcv_factory.storage.ledger import kind_counts, trial_count

    def counts(chosen: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return {"trials": trial_count(chosen), "entries": kind_counts(chosen)}

    digests = dict.fromkeys(entry["data_digest"] for entry in entries)
    by_data = {digest: [entry for entry in entries if entry["data_digest"] == digest] for digest in digests}
    return {
        "ledger": str(path),
        **counts(entries),
        "data": {digest: counts(chosen) for digest, chosen in by_data.items()},
        "rows": entries,
    }


def ledger_text(values: Mapping[str, Any]) -> str:
    """The counts by dataset, then every entry."""
    counts = [
        (digest[:SHOWN_LETTERS], each["trials"], *each["entries"].values()) for digest, each in values["data"].items()
    ]
    entries = [
        (
            *(row[name] for name in ("time", "kind", "model", "horizon", "run_id")),
            row["config_digest"][:SHOWN_LETTERS],
            row["data_digest"][:SHOWN_LETTERS],
        )
        for row in values["rows"]
    ]
    head = f"{values['ledger']}: {values['trials']} trials in {len(entries)} entries"
    return f"{head}\n\n{table(DATA_HEADER, counts)}\n{WHAT_COUNTS}\n\n{table(ENTRY_HEADER, entries)}"


def _digest(data: str | None) -> str:
    """How the fingerprint of the chosen data begins; a dataset folder says its own."""
    if data is None or not Path(data).is_dir():
        return data or ""
    from ohlcv_factory.dataset.store import read_manifest

    return str(read_manifest(Path(data))["fingerprint"])
