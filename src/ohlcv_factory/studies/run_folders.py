"""An experiments folder as a place to live in: what became of each run, its tags, its size; differences; removal."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ohlcv_factory.errors import (
    FactoryError,
    FactoryWarning,
    InputMissingError,
    MissingExtraError,
    UsageError,
    unknown_name,
)
from ohlcv_factory.storage import atomic
from ohlcv_factory.storage.digests import bytes_digest
from ohlcv_factory.storage.experiments import inside
from ohlcv_factory.storage.formats import MOST_JSON_BYTES, read_json, read_settings, write_json
from ohlcv_factory.storage.locks import folder_lock
from ohlcv_factory.storage.manifests import ADDENDA, check_files, listed_files, read_manifest
from ohlcv_factory.storage.regular_files import read_regular
from ohlcv_factory.storage.run_state import FINISHED, STATE, STATES, derived_state
from ohlcv_factory.training.artifacts import START, TAGS
from ohlcv_factory.training.bundle import MANIFEST, ModelBundle
from ohlcv_factory.training.resumption import flat_keys
from ohlcv_factory.training.run_manifest import RUNS, read_run_manifest, require_kind, verify_files
from ohlcv_factory.training.trial import open_models, open_run, open_written

LATEST = "latest"
EVALUATION = Path("metrics") / "evaluation_metrics.json"
DAMAGED = "DAMAGED"
"""A folder whose state cannot be read, or that says FINISHED and holds no manifest."""
SCORES = {
    "macro_f1": "classification",
    "direction_hit_rate": "classification",
    "log_loss": "classification",
    "sharpe_ratio": "trading",
    "annualized_return": "trading",
}
"""Scores that `show` and `diff` print, with the block of the evaluation that holds each."""
_UNSET = "not set"


@dataclass(frozen=True)
class RunFacts:
    """What is known of a run folder, finished or not."""

    path: Path
    kind: str | None
    """run; of a study cv, tune or barriers; None where it is not finished."""
    state: str
    """CREATED, RUNNING, FINISHED, FAILED, INTERRUPTED, LOST or DAMAGED."""
    attempt: int | None
    order: int
    """Counts beginnings and ends in the experiments folder: larger is later, whatever the clock said."""
    updated: str
    """When the state was written, UTC; empty where it cannot be read."""
    error: str
    """Why it failed; empty where it did not."""
    model: str | None
    horizon: int | None
    symbols: tuple[str, ...]
    tags: tuple[str, ...]
    size_bytes: int
    verdict: str | None
    sharpe_ratio: float | None

    def plain(self) -> dict[str, Any]:
        """JSON-ready."""
        facts = asdict(self)
        return {"run": str(facts.pop("path")), **facts}


@dataclass(frozen=True)
class Difference:
    """One fact in which two runs differ."""

    kind: str
    """data, setting, package or score."""
    name: str
    first: Any
    second: Any


def list_runs(folder: Path, *, tag: str | None = None, state: str | None = None) -> list[RunFacts]:
    """The run folders in `folder`, oldest first by name; of one tag or one state where given.

    An experiments folder and that of a sweep stand for the `runs/` in them.
    Raises InputMissingError (66) where there is no such folder, UnknownNameError (2) for a state that does not exist.
    """
    states = (*STATES, DAMAGED)
    if state is not None and state not in states:
        raise unknown_name("state", state, states, where="--state")
    if not folder.is_dir():
        raise InputMissingError(f"{folder} is no folder.", where=str(folder), help="ohlcv-factory train … makes runs")
    found = [run_facts(path) for path in _run_folders(inside(folder))]
    return [run for run in found if (tag is None or tag in run.tags) and state in (None, run.state)]


def find_run(place: Path) -> Path:
    """The folder of a run, finished or not. Raises InputMissingError (66) where there is none."""
    folder = named_run(place)
    if not (folder / STATE).is_file():
        raise InputMissingError(f"{place} is no run folder.", where=str(place), help="ohlcv-factory runs list DIR")
    return folder


def named_run(place: Path) -> Path:
    """What a user named: `DIR/latest` is the run of DIR that finished last, everything else is itself.

    Raises InputMissingError (66) where none has finished.
    """
    return latest_run(place.parent) if place.name == LATEST and not place.exists() else place


def latest_run(folder: Path) -> Path:
    """The run in `folder` that finished last; a study only where there is no run. Raises InputMissingError (66) for none."""
    finished = [run for run in list_runs(folder) if run.state == FINISHED]
    if not finished:
        raise InputMissingError(f"no finished run in {folder}.", where=str(folder), help="ohlcv-factory runs list")
    return max(finished, key=lambda run: (run.kind in RUNS, *_age(run))).path


def run_facts(path: Path) -> RunFacts:
    """What became of one run folder; reads its small files only."""
    state, attempt, order, updated, error = _state_of(path)
    manifest = _readable(path / MANIFEST)
    asked = manifest or _asked_for(path)
    evaluation, sound = _evaluation_of(path, manifest)
    return RunFacts(
        path=path,
        kind=_one(manifest.get("kind"), str),
        state=DAMAGED if state == FINISHED and not (manifest and sound) else state,
        attempt=attempt,
        order=order,
        updated=updated,
        error=error,
        model=_one(asked.get("model"), str),
        horizon=_one(asked.get("horizon"), int),
        symbols=tuple(map(str, _one(manifest.get("symbols"), list) or ())),
        tags=tags_of(path),
        size_bytes=folder_bytes(path),
        verdict=_one((_one(evaluation.get("verdict"), dict) or {}).get("code"), str),
        sharpe_ratio=_one((_one(evaluation.get("trading"), dict) or {}).get("sharpe_ratio"), (int, float)),
    )


def vouched_evaluation(path: Path) -> Mapping[str, Any]:
    """The scores of a run, where their file is the one that its manifest lists; else nothing."""
    return _evaluation_of(path, _readable(path / MANIFEST))[0]


def _evaluation_of(path: Path, manifest: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """The scores of a run, and whether their file is the one that was written; an unfinished run has none."""
    if not manifest:
        return {}, True
    try:
        recorded = {each.path: each.sha256 for each in listed_files(manifest)}
        if EVALUATION.as_posix() not in recorded:
            return {}, True
        content = read_regular(path / EVALUATION, MOST_JSON_BYTES)
        sound = recorded[EVALUATION.as_posix()] == bytes_digest(content)
        found = json.loads(content)["evaluation_metrics"] if sound else {}
        return found, sound and isinstance(found, Mapping)
    except (FactoryError, ValueError, KeyError, TypeError, RecursionError):
        return {}, False


def _one(value: Any, kind: type | tuple[type, ...]) -> Any:
    """A value of a kind, or None: a damaged file may hold anything."""
    return value if isinstance(value, kind) else None


def differences(first: Path, second: Path) -> list[Difference]:
    """Data, settings, package versions and scores in which two finished runs differ.

    Raises InputMissingError (66), and what `trial.open_run` does about files that are not what was written.
    """
    one, other = _described(first), _described(second)
    return [
        Difference(kind, name, one[kind].get(name, _UNSET), other[kind].get(name, _UNSET))
        for kind in one
        for name in sorted(one[kind].keys() | other[kind].keys())
        if one[kind].get(name, _UNSET) != other[kind].get(name, _UNSET)
    ]


def verify(path: Path) -> int:
    """Compare every file of a finished run, and of the runs nested in it, with its digest; how many were compared.

    The model predicts its reference rows again. Raises InputMissingError (66) for anything else, VerificationError (76) for a
    file that is missing or has changed, or other answers than then, DataError (65) for what may not be there.
    """
    manifest = read_run_manifest(path)
    count = verify_files(path, manifest)
    nested = [each.parent for each in sorted(path.rglob(MANIFEST)) if each.parent != path]
    count += sum(check_files(folder, read_manifest(folder)) for folder in nested)
    for addendum in (folder for folder in nested if folder.parent == path / ADDENDA):
        open_written(addendum)
    _self_test(path, manifest)
    return count


def _self_test(path: Path, manifest: dict[str, Any]) -> None:
    """Load the model of a run, so that it predicts its reference rows again; where there are none, read what is foreign.

    A library or a plugin that is not at hand is warned of: the files are those that were written all the same.
    """
    try:
        if manifest.get("reference") is None:
            open_models(path)
        else:
            ModelBundle.from_run(path)
    except (MissingExtraError, UsageError) as error:
        warnings.warn(f"the model is not tested: {error.what}", FactoryWarning, stacklevel=3)


def tags_of(path: Path) -> tuple[str, ...]:
    """The tags of a run, sorted."""
    return tuple(map(str, _one(_readable(path / TAGS).get("tags"), list) or ()))


def change_tags(path: Path, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> tuple[str, ...]:
    """The tags after the change. Raises UsageError (2) for an empty tag, UnknownNameError (2) for one that is not there."""
    for tag in [tag for tag in add if not tag.strip() or not tag.isprintable()]:
        raise UsageError(f"a tag has letters, in one line, got {tag!r}.", where="--add", help="for example: --add keep")
    present = set(tags_of(path))
    for tag in [tag for tag in remove if tag not in present]:
        raise unknown_name("tag", tag, present, where=str(path))
    tags = sorted((present | set(add)) - set(remove))
    write_json(path / TAGS, {"tags": tags})
    return tuple(tags)


def remove_run(path: Path) -> None:
    """Delete a run folder that nobody works on; its entries in the ledger stay.

    The folder first gets another name, so that an interruption leaves no half of a run under the run's own.
    Raises LockedError (75) for a run at work, UsageError (2) for a link.
    """
    if path.is_symlink():
        raise UsageError("a link to a run is not removed.", where=str(path), help="name the run folder itself")
    with folder_lock(path, "this run"):
        leaving = path.with_name(f"{atomic.TEMPORARY_PREFIX}removed-{path.name}")
        with atomic.storage_errors(path):
            path.rename(leaving)
    with atomic.storage_errors(leaving):
        shutil.rmtree(leaving)


def outdated(runs: Sequence[RunFacts], keep: int) -> list[RunFacts]:
    """Runs beyond the `keep` newest finished ones of each (kind, model, horizon, symbols).

    A run at work or with a tag is never among them; one that can be resumed (INTERRUPTED, FAILED, LOST) is not either.
    Raises UsageError (2) for `keep` below 1.
    """
    if keep < 1:
        raise UsageError(f"--keep takes at least 1, got {keep}.", where="--keep", help="`runs rm` removes single runs")
    groups: dict[tuple[Any, ...], list[RunFacts]] = {}
    for run in runs:
        if run.state == FINISHED:
            groups.setdefault((run.kind, run.model, run.horizon, run.symbols), []).append(run)
    beyond = [run for group in groups.values() for run in sorted(group, key=_age, reverse=True)[keep:]]
    return [run for run in beyond if not run.tags]


def folder_bytes(path: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(each.stat().st_size for each in path.rglob("*") if each.is_file() and not each.is_symlink())


def _age(run: RunFacts) -> tuple[int, str, str]:
    """By count; runs from before there was one, by the clock."""
    return run.order, run.updated, run.path.name


def _run_folders(folder: Path) -> Iterator[Path]:
    """Folders that hold a state, no links, and none that is being removed."""
    for path in sorted(folder.iterdir()):
        passed_over = path.is_symlink() or path.name.startswith(atomic.TEMPORARY_PREFIX)
        if not passed_over and (path / STATE).is_file():
            yield path


def _state_of(path: Path) -> tuple[str, int | None, int, str, str]:
    """State, attempt, order, time and error. A run that says RUNNING is LOST when no process is at work on it."""
    facts = _readable(path / STATE)
    if not {"state", "attempt", "updated"} <= facts.keys():
        return DAMAGED, None, 0, "", f"{STATE} cannot be read"
    error = _one(facts.get("error"), dict) or {}
    attempt, order, updated = _one(facts["attempt"], int), _one(facts.get("order"), int) or 0, str(facts["updated"])
    try:
        state = derived_state(path, facts)
    except (TypeError, ValueError):
        return DAMAGED, attempt, order, updated, f"{STATE} cannot be read"
    return state, attempt, order, updated, str(error.get("message", ""))


def _asked_for(path: Path) -> dict[str, Any]:
    """Model and horizon of a run that is not finished."""
    settings = _one(_readable(path / START).get("settings"), dict) or {}
    return {"model": settings.get("model_name"), "horizon": settings.get("horizon")}


def _readable(path: Path) -> Mapping[str, Any]:
    """A JSON object, or an empty one where there is none to read."""
    try:
        values = read_json(path)
    except (FactoryError, OSError):
        return {}
    return values if isinstance(values, Mapping) else {}


def _described(path: Path) -> dict[str, dict[str, Any]]:
    """A finished run's facts by kind."""
    manifest = open_run(path)
    require_kind(path, manifest)
    settings = read_settings(path / "config" / "training_config.yaml")
    evaluation = read_json(path / "metrics" / "evaluation_metrics.json")["evaluation_metrics"]
    data = ("symbols", "horizon", "data_fingerprint", "row_digest")
    versions = {"ohlcv-model-factory": manifest["created_by"], **manifest["packages"], **manifest["machine"]}
    return {
        "data": {name: manifest[name] for name in data},
        "setting": flat_keys(settings),
        "package": versions | {"threads": manifest["threads"]},
        "score": {name: evaluation[block].get(name) for name, block in SCORES.items()},
    }
