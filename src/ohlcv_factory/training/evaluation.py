"""Scoring a finished run on a part of its dataset, as an addendum to the run; every look at the test part is counted."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.errors import UsageError, unknown_name
from ohlcv_factory.evaluation.trials import Trials
from ohlcv_factory.runtime.clock import Clock, system_clock, utc_text
from ohlcv_factory.storage.digests import value_digest
from ohlcv_factory.storage.experiments import experiments_folder
from ohlcv_factory.storage.formats import read_json, read_settings
from ohlcv_factory.storage.ledger import Ledger
from ohlcv_factory.storage.manifests import ADDENDA, file_entries
from ohlcv_factory.training import artifacts
from ohlcv_factory.training.bundle import ModelBundle
from ohlcv_factory.training.overlap import overlap_notes
from ohlcv_factory.training.recorded_data import recorded_container
from ohlcv_factory.training.run_manifest import read_run_manifest, require_kind
from ohlcv_factory.training.scoring import Scores, score_part
from ohlcv_factory.training.trials import known_trials, weighed

SCORED_PARTS = ("val", "test")


@dataclass(frozen=True)
class PartEvaluation:
    """Scores of one part, where they were written, and how often this test part has been looked at."""

    evaluation: dict[str, Any]
    folder: Path
    looks: int


def evaluate_run(run: Path, part: str, dataset: Path | None = None, *, clock: Clock = system_clock) -> PartEvaluation:
    """Score one part and write it to `addenda/NNN/`.

    Raises UnknownNameError (2) for another part, InputMissingError (66) for what is no finished run, DataError (65) when the
    dataset is not the one of the run.
    """
    if part not in SCORED_PARTS:
        raise unknown_name("part", part, SCORED_PARTS)
    manifest = read_run_manifest(run)
    require_kind(run, manifest)
    bundle = ModelBundle.from_run(run)
    container = recorded_container(run, manifest, read_settings(run / "config" / "training_config.yaml"), dataset)
    if not len(container.rows(part, scored=True)):
        raise UsageError(
            f"this dataset has no {part} part.", where=str(run), help="build it with parts.train + parts.val < 1"
        )
    ledger, trial = _ledger(run, clock), _trial(run, manifest, container)
    looks = _look(ledger, trial) if part == "test" else 0
    overlap_notes(bundle.pipeline.model, container, part)
    predictions = bundle.pipeline.predict(container, container.rows(part))
    scores = score_part(part, predictions, container, seed=manifest["seed"], rule=bundle.pipeline.rule)
    scores = _judged(scores, run, ledger, trial)
    evaluation = {
        "horizon": manifest["horizon"],
        "model_name": manifest["model"],
        "timestamp": utc_text(clock()),
        "part": part,
        "rows": scores.rows,
        "test_looks": looks,
        **scores.block,
    }
    folder = _new_addendum(run)
    artifacts.write_predictions(folder, part, predictions, scores)
    artifacts.write_evaluation_metrics(folder, evaluation)
    artifacts.seal(folder, {"created": utc_text(clock()), "part": part, "files": file_entries(folder)})
    return PartEvaluation(evaluation, folder, looks)


def _judged(scores: Scores, run: Path, ledger: Ledger, trial: dict[str, Any]) -> Scores:
    """By the looks at the test part; on val by what the ledger knows by now, and no fewer trials than the run knew of.

    A run that was copied elsewhere left its ledger behind.
    """
    if scores.part == "test":
        (found,) = weighed([scores], ledger, trial, scores.part)
        return found
    now = known_trials(ledger, trial["data_digest"], scores.part)
    then = read_json(run / "metrics" / "evaluation_metrics.json")["evaluation_metrics"].get("trials", {"count": 0})
    return scores.judged(now if now.count >= then["count"] else Trials.stored(then))


def _look(ledger: Ledger, trial: dict[str, Any]) -> int:
    """Record a look at the test part before it is taken, and count all looks at this data."""
    ledger.record("test_look", **trial)
    return ledger.count("test_look", data_digest=trial["data_digest"])


def _ledger(run: Path, clock: Clock) -> Ledger:
    return Ledger.in_folder(experiments_folder(run.resolve().parent), clock)


def _trial(run: Path, manifest: dict[str, Any], container: TimeSeriesDataContainer) -> dict[str, Any]:
    """The run as its fit was entered into the ledger; one of the first version kept no more than its hyper-parameters."""
    start, model = run / artifacts.START, run / "config" / "model_config.yaml"
    settings = read_json(start)["settings"] if start.is_file() else read_settings(model)
    return {
        "run_id": manifest["run_id"],
        "model": manifest["model"],
        "horizon": manifest["horizon"],
        "config_digest": value_digest(settings),
        "data_digest": container.fingerprint,
    }


def _new_addendum(run: Path) -> Path:
    """`addenda/NNN` after the last one; earlier ones may have been removed, and others may be made at the same time."""
    taken = [int(path.name) for path in (run / ADDENDA).glob("*") if path.name.isdecimal()]
    for number in count(1 + max(taken, default=0)):
        folder = run / ADDENDA / f"{number:03d}"
        with suppress(FileExistsError):
            folder.mkdir(parents=True)
            break
    return folder
