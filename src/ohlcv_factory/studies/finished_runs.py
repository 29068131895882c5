"""Finished runs, read from their folders and put into groups that were scored on the very same rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ohlcv_factory.errors import DataError, InputMissingError, UsageError, unknown_name
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.training.bundle import MANIFEST, read_run_manifest
from ohlcv_factory.training.evaluation import SCORED_PARTS
from ohlcv_factory.training.settings import RUNS_FOLDER

DEFAULT_RUNS = Path("experiments") / RUNS_FOLDER
LOWER_IS_BETTER = ("log_loss", "brier", "ece", "total_cost")
VAL, TEST = SCORED_PARTS
EVALUATION = Path("metrics") / "evaluation_metrics.json"


class Group(NamedTuple):
    """What runs must share to be ranked together, beside their rows."""

    symbols: tuple[str, ...]
    horizon: int

    @property
    def words(self) -> str:
        """`BTCUSDT, horizon 20`."""
        return f"{', '.join(self.symbols)}, horizon {self.horizon}"


@dataclass(frozen=True)
class FinishedRun:
    """A run folder's manifest, and its scores on one part."""

    path: Path
    manifest: dict[str, Any]
    evaluation: dict[str, Any]
    addendum: Path | None = None
    """Where the scores and predictions of the part lie, when not in the run folder itself."""

    @classmethod
    def read(cls, path: Path, part: str = VAL) -> FinishedRun:
        """A finished run with its own scores on val, or those of its newest `evaluate --part test`.

        Raises InputMissingError (66) for anything else: looking at the test part is left to `evaluate`, which counts it.
        """
        manifest = read_run_manifest(path)
        own = read_json(path / EVALUATION)["evaluation_metrics"]
        if part == VAL:
            return cls(path, manifest, own)
        addendum = _newest_addendum(path, part)
        found = read_json(addendum / EVALUATION)["evaluation_metrics"]
        return cls(path, manifest, {**found, "training": own.get("training")}, addendum)

    @property
    def group(self) -> Group:
        """Its symbols and horizon."""
        return Group(tuple(self.manifest["symbols"]), self.manifest["horizon"])

    @property
    def scored_folder(self) -> Path:
        """Where the predictions of the scored part lie."""
        return self.addendum or self.path

    @property
    def training_seconds(self) -> float | None:
        """How long the fit took."""
        return (self.evaluation.get("training") or {}).get("training_time_seconds")

    @property
    def peak_memory_mb(self) -> float | None:
        """The most memory that its process had held when the run ended."""
        return self.manifest.get("peak_memory_mb")


def find_runs(paths: Sequence[Path], *, experiment: str | None = None, part: str = VAL) -> list[FinishedRun]:
    """Finished runs among run folders and folders of runs, oldest first; unfinished ones are passed over.

    Raises InputMissingError (66) when there is none, or one that was not evaluated on the part; UnknownNameError (2) for
    another part than val and test.
    """
    if part not in SCORED_PARTS:
        raise unknown_name("part", part, SCORED_PARTS)
    folders = [folder for path in paths for folder in _run_folders(path)]
    runs = [FinishedRun.read(folder) for folder in sorted(set(folders), key=lambda folder: folder.name)]
    chosen = [run for run in runs if experiment in (None, run.manifest["experiment_name"])]
    if not chosen:
        where = ", ".join(map(str, paths))
        raise InputMissingError(f"no finished run in {where}.", where=where, help="ohlcv-factory train … makes one")
    ordered = sorted(chosen, key=lambda run: run.evaluation["timestamp"])
    return ordered if part == VAL else [FinishedRun.read(run.path, part) for run in ordered]


def comparable_groups(runs: Sequence[FinishedRun]) -> dict[Group, list[FinishedRun]]:
    """Runs by symbols and horizon. Raises DataError (65) when two runs of one group were scored on different rows."""
    groups: dict[Group, list[FinishedRun]] = {}
    for run in runs:
        groups.setdefault(run.group, []).append(run)
    for group, members in groups.items():
        _check_rows(group, members)
    return dict(sorted(groups.items()))


def ranked(runs: Sequence[FinishedRun], by: str = "sharpe_ratio") -> list[FinishedRun]:
    """Runs of one group, best first by one score; undefined scores come last. Raises UsageError (2)."""
    sign = 1.0 if by in LOWER_IS_BETTER else -1.0
    return sorted(runs, key=lambda run: (score(run, by) is None, sign * (score(run, by) or 0.0), run.path.name))


def score(run: FinishedRun, name: str) -> float | None:
    """One number of a run's classification or trading block."""
    for block in ("trading", "classification"):
        if name in run.evaluation[block]:
            value = run.evaluation[block][name]
            if value is None or isinstance(value, int | float):
                return value
    raise UsageError(f"unknown score {name!r}.", help="for example: sharpe_ratio, macro_f1, log_loss")


def run_names(runs: Sequence[FinishedRun]) -> list[str]:
    """The models' names; with the run's short id where the runs have a model twice."""
    seen = Counter(run.manifest["model"] for run in runs)
    return [
        run.manifest["model"] + (f" {run.path.name.rsplit('_', 1)[-1]}" if seen[run.manifest["model"]] > 1 else "")
        for run in runs
    ]


def _check_rows(group: Group, runs: Sequence[FinishedRun]) -> None:
    digests = {run.manifest["row_digest"]: run for run in runs}
    if len(digests) > 1:
        names = ", ".join(run.path.name for run in digests.values())
        raise DataError(
            f"these runs of {group.words} were scored on different rows, so their scores cannot be compared: {names}.",
            help="compare runs of one dataset, or give --experiment",
        )


def _run_folders(path: Path) -> list[Path]:
    if (path / MANIFEST).is_file():
        return [path]
    if not path.is_dir():
        raise InputMissingError(f"{path} does not exist.", where=str(path), help="a run folder, or a folder of runs")
    return [folder for folder in path.iterdir() if (folder / MANIFEST).is_file()]


def _newest_addendum(run: Path, part: str) -> Path:
    """The last evaluation of a part that is whole: its manifest was written last."""
    found = sorted((path.parent for path in (run / "addenda").glob(f"*/{MANIFEST}")), key=lambda path: int(path.name))
    newest = [folder for folder in found if read_json(folder / MANIFEST)["part"] == part]
    if not newest:
        raise InputMissingError(
            f"{run.name} was never evaluated on its {part} part.",
            where=str(run),
            help=f"ohlcv-factory evaluate {run} --part {part}; every look makes the scores of that part worth less",
        )
    return newest[-1]
