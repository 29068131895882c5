"""A run or study folder as a tracker sees it: settings, curves, scores, tags, files, and how it stands."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.storage.experiments import (
    BARRIER_RECIPE,
    STUDY_RECIPE,
    TRAINING_RECIPE,
    TUNING_RECIPE,
    experiments_folder,
)
from ohlcv_factory.storage.formats import MOST_JSON_BYTES, read_json, read_settings, told_as_damage
from ohlcv_factory.storage.manifests import MANIFEST
from ohlcv_factory.storage.regular_files import read_regular
from ohlcv_factory.storage.run_state import CREATED, RUNNING, STATE, derived_state
from ohlcv_factory.training.tracking.settings import ExperimentConfig
from ohlcv_factory.training.tracking.spool import SPOOL, read_events

RECIPES = (TRAINING_RECIPE, STUDY_RECIPE, TUNING_RECIPE, BARRIER_RECIPE)
PREFIXES = {"evaluation_metrics.json": "", "training_metrics.json": "fit/"}
"""What stands before the metrics of a file; of another one its name."""
LEFT_OUT = ("breakdown", "thresholds", "history")
"""Blocks of numbers that a tracker has no use for."""
SHOWN_FILES = ("config/*", "metrics/*", "plots/*", "*.html", "*.md", "*.csv", MANIFEST)
BLOCKS, TRIALS = Path("metrics") / "metrics.json", "trials.csv"
"""Tables of a study that become series: a step for each tested block of a cross-validation, for each trial of a search."""


@dataclass(frozen=True)
class Epoch:
    """Metrics of one epoch, round, fold or trial."""

    step: int
    time_ms: int
    metrics: dict[str, float]


@dataclass(frozen=True)
class TrackedRun:
    """What is there of a run, finished or not."""

    folder: Path
    experiment: ExperimentConfig
    key: str
    """Tells the run from all others, whatever its folder is called; the same for every attempt."""
    state: str
    """RUNNING, FINISHED, FAILED, INTERRUPTED, or LOST where it says RUNNING and nobody works on it."""
    began_ms: int
    updated_ms: int
    epochs: tuple[Epoch, ...]
    """Each step once, whatever attempt it is of: the bytes of a resumed fit are those of one that was not cut off."""

    @classmethod
    def read(cls, folder: Path, experiment: ExperimentConfig | None = None) -> Self:
        """The run of a folder, shown as its spool says, or as `experiment` does.

        Raises InputMissingError (66) where there is no run, UsageError (2) for a run that was not tracked, when nothing
        says where to show it, DataError (65) for a spool or a state that holds something else.
        """
        events = read_events(folder / SPOOL)
        starts = [event for event in events if event["event"] == "start"]
        if experiment is None and not starts and (folder / STATE).is_file():
            raise UsageError(
                "the run was not tracked.", where=str(folder), help="--track mlflow, tensorboard or wandb shows it now"
            )
        facts = _facts(folder, starts)
        updated_ms = _time_ms(facts["updated"])
        with told_as_damage(folder / SPOOL):
            told = experiment or ExperimentConfig.parse(starts[-1]["experiment"], where=str(folder / SPOOL))
            if starts and starts[-1]["time"] > updated_ms:  # the state is still that of an earlier attempt
                facts |= {"state": RUNNING}
            key = str(starts[0]["key"]) if starts else folder.name
            began_ms = int(starts[0]["time"]) if starts else updated_ms
            epochs = tuple(_epochs(events))
        return cls(folder, told, key, _state(folder, facts), began_ms, updated_ms, epochs)

    @property
    def is_over(self) -> bool:
        """Whether nobody works on it."""
        return self.state != RUNNING

    @property
    def is_finished(self) -> bool:
        """Whether it is complete."""
        return self.state == "FINISHED"

    @property
    def target(self) -> str:
        """Where it is shown."""
        return self.experiment.target(experiments_folder(self.folder.resolve().parent))

    @property
    def name(self) -> str:
        """The run's name there."""
        return self.experiment.run_name or self.folder.name

    @property
    def experiment_name(self) -> str:
        """The experiment that it belongs to."""
        return self.experiment.experiment_name or self.recipe.get("experiment_name") or self.experiment.project_name

    @property
    def recipe(self) -> dict[str, Any]:
        """The settings of the run or study; none before they are written."""
        files = (self.folder / recipe for recipe in RECIPES)
        return next((read_settings(path) for path in files if path.is_file()), {})

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest of a finished run, else nothing."""
        return dict(read_json(self.folder / MANIFEST)) if self.is_finished else {}

    def params(self) -> dict[str, str]:
        """Every setting by its dotted key."""
        left_out = {"experiment", "output_dir"}
        recipe = {name: value for name, value in self.recipe.items() if name not in left_out}
        return {name: str(value) for name, value in _leaves(recipe, ".")}

    def tags(self) -> dict[str, str]:
        """What follows from the run, and the user's own tags."""
        manifest, evaluation = self.manifest, self._evaluation()
        verdict = evaluation.get("verdict") or {}
        facts = {
            "project": self.experiment.project_name,
            "run": self.folder.name,
            "model": manifest.get("model"),
            "family": manifest.get("family"),
            "horizon": manifest.get("horizon"),
            "symbols": ", ".join(manifest.get("symbols", ())),
            "data_fingerprint": manifest.get("data_fingerprint"),
            "code_digest": manifest.get("code"),
            "verdict": verdict.get("code"),
            "notes": verdict.get("words"),
        }
        return {**{name: str(value) for name, value in facts.items() if value}, **self.experiment.tags}

    def scores(self) -> dict[str, float]:
        """The numbers of all files in `metrics/` of a finished run, `/` between the parts of their names."""
        found: dict[str, float] = {}
        for path in sorted((self.folder / "metrics").glob("*.json")) if self.is_finished else ():
            values = read_json(path)
            if isinstance(values, Mapping):
                shown = {name: value for name, value in _block(values).items() if name not in LEFT_OUT}
                prefix = PREFIXES.get(path.name, f"{path.stem}/")
                found |= {metric_name(prefix + name): number for name, number in _numbers(shown)}
        return found

    def series(self) -> tuple[Epoch, ...]:
        """What was noted step by step, or the curves of a run that was not tracked; and blocks and trials of a study."""
        return (*(self.epochs or self._curves()), *self._blocks(), *self._trials())

    def files(self) -> list[Path]:
        """Settings, metrics, plots and pages of a finished run."""
        patterns = SHOWN_FILES if self.is_finished else ()
        return sorted(path for pattern in patterns for path in self.folder.glob(pattern) if path.is_file())

    def pictures(self) -> list[Path]:
        """The plots of a finished run."""
        return [path for path in self.files() if path.suffix == ".png"]

    def _evaluation(self) -> dict[str, Any]:
        path = self.folder / "metrics" / "evaluation_metrics.json"
        return _block(self._table(path))

    def _curves(self) -> Iterator[Epoch]:
        """The curves of `training_metrics.json`."""
        path = self.folder / "metrics" / "training_metrics.json"
        with told_as_damage(path):
            curves = self._table(path).get("history", {})
            for step in range(1, 1 + max(map(len, curves.values()), default=0)):
                values = {name: curve[step - 1] for name, curve in curves.items() if len(curve) >= step}
                yield Epoch(step, self.updated_ms, dict(_numbers(values)))

    def _blocks(self) -> Iterator[Epoch]:
        path = self.folder / BLOCKS
        with told_as_damage(path):
            for step, row in enumerate(self._table(path).get("blocks", []), start=1):
                values = {metric_name(f"block/{key}"): value for key, value in _numbers(row)}
                yield Epoch(step, self.updated_ms, values)

    def _table(self, path: Path) -> dict[str, Any]:
        """What a JSON file of a finished run holds; nothing where there is none. Raises DataError (65) for another thing."""
        with told_as_damage(path):
            return dict(read_json(path)) if self.is_finished and path.is_file() else {}

    def _trials(self) -> Iterator[Epoch]:
        path = self.folder / TRIALS
        if not self.is_finished or not path.is_file():
            return
        content = read_regular(path, MOST_JSON_BYTES)
        with told_as_damage(path):
            for row in csv.DictReader(content.decode("utf-8").splitlines()):
                search = "".join(f"{row[name]}/" for name in ("symbol", "horizon") if name in row)
                if row["value"]:
                    yield Epoch(
                        int(row["trial"]), self.updated_ms, {metric_name(f"trial/{search}value"): float(row["value"])}
                    )


def metric_name(name: str) -> str:
    """A name of the letters that trackers allow."""
    return re.sub(r"[^\w\-./ ]", "_", name)


def _facts(folder: Path, starts: list[dict[str, Any]]) -> dict[str, Any]:
    """What the state says, or that the attempt of the last start has not written one yet."""
    if starts and not (folder / STATE).is_file():
        with told_as_damage(folder / SPOOL):
            began = datetime.fromtimestamp(starts[-1]["time"] / 1000, UTC)
        return {"state": CREATED, "updated": began.isoformat()}
    with told_as_damage(folder / STATE):
        facts = dict(read_json(folder / STATE))
        return {**facts, "state": str(facts["state"]), "updated": facts["updated"]}


def _epochs(events: list[dict[str, Any]]) -> Iterator[Epoch]:
    last = 0
    for event in events:
        if event["event"] == "epoch" and event["epoch"] > last:
            last = event["epoch"]
            yield Epoch(last, event["time"], dict(_numbers(event["metrics"])))


def _block(values: Mapping[str, Any]) -> dict[str, Any]:
    return dict(values.get("evaluation_metrics", values))


def _numbers(values: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Finite numbers by name; yes and no are 1 and 0."""
    for name, value in _leaves(values, "/"):
        if isinstance(value, int | float) and math.isfinite(value):
            yield name, float(value)


def _leaves(values: Mapping[str, Any], between: str, before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, between, f"{before}{name}{between}")
        else:
            yield f"{before}{name}", value


def _state(folder: Path, facts: Mapping[str, Any]) -> str:
    state = derived_state(folder, facts)
    return RUNNING if state == CREATED else state


def _time_ms(text: str) -> int:
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1000)
    except (TypeError, ValueError):
        raise DataError(f"{STATE} holds no time, but {text!r}.", help="the file is damaged") from None
