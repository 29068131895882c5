"""Finished runs and cross-validations, read from their folders and put into groups that were scored on the very same rows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from ohlcv_factory.errors import DataError, FactoryError, InputMissingError, UsageError, unknown_name
from ohlcv_factory.evaluation.scorecard import averaged, judged, threshold_column
from ohlcv_factory.evaluation.trials import Trials, scaled_ratio
from ohlcv_factory.storage.experiments import RUNS_FOLDER, STUDIES_FOLDER, inside
from ohlcv_factory.storage.formats import read_json, read_settings, told_as_damage
from ohlcv_factory.storage.manifests import ADDENDA, read_manifest
from ohlcv_factory.studies.cross_validation import METRICS
from ohlcv_factory.studies.fold_job import FOLDS_FOLDER, TIME
from ohlcv_factory.studies.out_of_fold import PART
from ohlcv_factory.studies.run_folders import named_run
from ohlcv_factory.studies.study_folder import CROSS_VALIDATION, open_study
from ohlcv_factory.studies.study_folder import RECIPE as STUDY_RECIPE
from ohlcv_factory.training.bundle import MANIFEST
from ohlcv_factory.training.evaluation import SCORED_PARTS
from ohlcv_factory.training.run_manifest import RUNS, read_run_manifest, require_kind
from ohlcv_factory.training.trial import open_run, open_written

DEFAULT_RUNS = Path("experiments") / RUNS_FOLDER
LOWER_IS_BETTER = ("log_loss", "brier", "ece", "total_cost")
DEFAULT_STUDIES = Path("experiments") / STUDIES_FOLDER
VAL, TEST = SCORED_PARTS
OUT_OF_FOLD = PART
COMPARED_PARTS = (VAL, TEST, OUT_OF_FOLD)
"""The parts whose scores can be compared: of runs val and test, of cross-validations the out-of-fold rows of train."""
VERDICTS = ("too little data", "no edge found", "edge")
"""The most careful first: it stands for a study whose paths differ."""
RECIPE = Path("config") / "training_config.yaml"
BLOCKS = ("classification", "trading", "baselines", "verdict")
SCORED = ("horizon", "model_name", "timestamp", "part", "rows", *BLOCKS)
"""What every file of scores holds, whatever version wrote it."""
EVALUATION = Path("metrics") / "evaluation_metrics.json"
NOT_OF_THE_MODEL = ("random_seed", "experiment_name", "output_dir", "dataset", "threads")
"""Settings in which runs of the same settings may differ; the data is compared by its fingerprint."""


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
    """The manifest of a run or of a cross-validation, and its scores on one part."""

    path: Path
    manifest: dict[str, Any]
    evaluation: dict[str, Any]
    addendum: Path | None = None
    """Where the scores and predictions of the part lie, when not in the run folder itself."""
    paths: int = 1
    """How often each row was predicted: more than once by a combinatorial cross-validation alone."""

    @classmethod
    def read(cls, path: Path, part: str = VAL) -> FinishedRun:
        """A run with its own scores on val or those of its newest `evaluate --part test`; of `oof` a cross-validation.

        Raises InputMissingError (66) for anything else: looking at the test part is left to `evaluate`, which counts it; and
        what `trial.open_run` raises about files that are not what was written.
        """
        if _is_study(read_run_manifest(path)) != (part == OUT_OF_FOLD):
            raise _other_kind(path, part)
        if part == OUT_OF_FOLD:
            return _study(cls, path, open_study(path, CROSS_VALIDATION))
        require_kind(path, read_run_manifest(path))
        manifest, own = open_run(path), _scores(path)
        if part == VAL:
            return cls(path, manifest, own)
        addendum = _newest_addendum(path, part)
        return cls(path, manifest, {**_scores(addendum), "training": own.get("training")}, addendum)

    @property
    def group(self) -> Group:
        """Its symbols and horizon."""
        return Group(tuple(self.manifest["symbols"]), self.manifest["horizon"])

    @property
    def scored_folder(self) -> Path:
        """Where the predictions of the scored part lie."""
        return self.addendum or self.path

    @property
    def recipe(self) -> Path:
        """The file that repeats it."""
        return self.path / (STUDY_RECIPE if _is_study(self.manifest) else RECIPE)

    @property
    def training_seconds(self) -> float | None:
        """How long the fit took; of a cross-validation the fits of all folds together."""
        return (self.evaluation.get("training") or {}).get("training_time_seconds")

    @property
    def peak_memory_mb(self) -> float | None:
        """The most memory that its process had held when the run ended; of a cross-validation that of any fold."""
        return self.manifest.get("peak_memory_mb")


def _scores(folder: Path) -> dict[str, Any]:
    """The scores of a run or an addendum. Raises DataError (65) where the file holds none."""
    values = read_json(folder / EVALUATION)
    with told_as_damage(folder / EVALUATION):
        found = values["evaluation_metrics"]
        missing = [name for name in SCORED if name not in found]
        blocks = [name for name in BLOCKS if not isinstance(found.get(name), dict)]
        if missing or blocks:
            raise ValueError(f"{', '.join((*missing, *blocks))} missing")
        return dict(found)


@contextmanager
def misfits_told(paths: Sequence[Path]) -> Iterator[None]:
    """Turn what scores of the wrong shape lead to into one DataError (65): a file that was written anew may hold anything."""
    try:
        yield
    except FactoryError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError) as error:
        raise DataError(
            f"the scores in {EVALUATION} do not fit together: {type(error).__name__}: {error}.",
            where=", ".join(map(str, paths)),
            help="ohlcv-factory verify RUN; where every file is sound, run again with --debug for the traceback",
        ) from error


def find_runs(paths: Sequence[Path], *, experiment: str | None = None, part: str = VAL) -> list[FinishedRun]:
    """Finished runs among run folders and folders of runs, oldest first; unfinished ones are passed over.

    An experiments folder stands for the runs in it, `DIR/latest` for the run of DIR that finished last. Of the part `oof`
    they are cross-validations. Raises InputMissingError (66) when there is none, or one that was not
    evaluated on the part; UnknownNameError (2) for another part than val, test and oof.
    """
    if part not in COMPARED_PARTS:
        raise unknown_name("part", part, COMPARED_PARTS)
    folders = [folder for path in paths for folder in _run_folders(named_run(path), studies=part == OUT_OF_FOLD)]
    own = OUT_OF_FOLD if part == OUT_OF_FOLD else VAL
    runs = [FinishedRun.read(folder, own) for folder in sorted(set(folders), key=lambda folder: folder.name)]
    chosen = [run for run in runs if experiment in (None, run.manifest["experiment_name"])]
    if not chosen:
        raise _none_found(paths, part)
    ordered = sorted(chosen, key=lambda run: run.evaluation["timestamp"])
    return ordered if part == own else [FinishedRun.read(run.path, part) for run in ordered]


def comparable_groups(runs: Sequence[FinishedRun]) -> dict[Group, list[FinishedRun]]:
    """Runs by symbols and horizon, those on the same symbols judged together.

    Raises DataError (65) when two runs of one group were scored on different rows.
    """
    by_symbols: dict[tuple[str, ...], list[FinishedRun]] = {}
    for run in runs:
        by_symbols.setdefault(run.group.symbols, []).append(run)
    groups: dict[Group, list[FinishedRun]] = {}
    for run in (run for members in by_symbols.values() for run in judged_together(members)):
        groups.setdefault(run.group, []).append(run)
    for group, members in groups.items():
        _check_rows(group, members)
    return dict(sorted(groups.items()))


def judged_together(runs: Sequence[FinishedRun], *, tried: int = 0) -> list[FinishedRun]:
    """The runs with the verdict that the trials behind all of them allow; their folders stay as they are.

    Whoever compares runs picks the best of them, so none is judged by fewer trials than the last of them was, nor by fewer
    than are compared, nor than `tried`. Runs of the first version keep their verdict.
    """
    told = [run.evaluation["trials"] for run in runs if "trials" in run.evaluation]
    if not told:
        return list(runs)
    ratios = {
        (run.manifest["model"], settings_text(run), run.manifest["seed"]): scaled_ratio(run.evaluation["trading"])
        for run in runs
    }
    seen = Trials.of(max(len(ratios), tried), [ratio for ratio in ratios.values() if ratio is not None])
    recorded = Trials.stored(max(told, key=lambda each: int(each["known"])))
    best_known = recorded if recorded.known >= seen.known else seen
    trials = replace(best_known, count=max(seen.count, *(each["count"] for each in told)))
    return [replace(run, evaluation=judged(run.evaluation, trials)) for run in runs]


def settings_text(run: FinishedRun) -> str:
    """Everything that a run was trained with except its seed, as text; of the data its fingerprint."""
    values = read_settings(run.recipe)
    kept = {name: value for name, value in values.items() if name not in NOT_OF_THE_MODEL}
    return json.dumps([run.manifest["data_fingerprint"], kept], sort_keys=True)


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
    digests = {(run.manifest["row_digest"], run.manifest.get("covered_digest"), run.paths): run for run in runs}
    if len(digests) > 1:
        names = ", ".join(run.path.name for run in digests.values())
        raise DataError(
            f"these runs of {group.words} were scored on different rows, so their scores cannot be compared: {names}.",
            help="compare runs of one dataset, or give --experiment",
        )


def _run_folders(path: Path, *, studies: bool) -> list[Path]:
    if (path / MANIFEST).exists() or (path / MANIFEST).is_symlink():
        return [path]
    if not path.is_dir():
        what = "is no folder" if path.exists() else "does not exist"
        raise InputMissingError(f"{path} {what}.", where=str(path), help="a run folder, or a folder of runs")
    among = inside(path, STUDIES_FOLDER if studies else RUNS_FOLDER)
    found = [folder for folder in among.iterdir() if (folder / MANIFEST).is_file()]
    kinds = (CROSS_VALIDATION,) if studies else RUNS
    return [folder for folder in found if read_run_manifest(folder).get("kind") in kinds]


def _is_study(manifest: dict[str, Any]) -> bool:
    return manifest.get("kind") == CROSS_VALIDATION


def _other_kind(path: Path, part: str) -> InputMissingError:
    if part == OUT_OF_FOLD:
        what, advice = "a run, which predicted nothing out of fold", "leave --part out, or name cross-validations"
    else:
        what, advice = (
            f"a cross-validation, which has no {part} scores",
            f"--part {OUT_OF_FOLD} compares its folds' rows",
        )
    return InputMissingError(f"{path.name} is {what}.", where=str(path), help=advice)


def _none_found(paths: Sequence[Path], part: str) -> InputMissingError:
    where = ", ".join(map(str, paths))
    if part == OUT_OF_FOLD:
        return InputMissingError(
            f"no finished cross-validation in {where}.", where=where, help="ohlcv-factory cv … makes one"
        )
    return InputMissingError(f"no finished run in {where}.", where=where, help="ohlcv-factory train … makes one")


def _study(kind: type[FinishedRun], path: Path, manifest: dict[str, Any]) -> FinishedRun:
    """A cross-validation with the scores of its out-of-fold rows, the mean over its paths."""
    values = read_json(path / METRICS)
    times = [_cost(file) for file in sorted((path / FOLDS_FOLDER).glob(f"*/{TIME}"))]
    with told_as_damage(path / METRICS):
        blocks = values["out_of_fold"]
        worst = min(blocks, key=lambda block: VERDICTS.index(block["verdict"]["code"]))
        means = {name: averaged([block[name] for block in blocks]) for name in ("rows", "classification", "trading")}
        evaluation = {
            "horizon": manifest["horizon"],
            "model_name": manifest["model"],
            "timestamp": manifest["finished"],
            "part": OUT_OF_FOLD,
            **worst,
            **means,
            "thresholds": threshold_column(means),
            "training": {"training_time_seconds": sum(seconds for seconds, _ in times)},
        }
        memory = max((megabytes for _, megabytes in times), default=manifest["peak_memory_mb"])
        return kind(path, {**manifest, "peak_memory_mb": memory}, evaluation, paths=len(blocks))


def _cost(file: Path) -> tuple[float, float]:
    """Seconds of a fold's fit and megabytes of its process. Raises DataError (65) where the file says neither."""
    values = read_json(file)
    with told_as_damage(file):
        seconds, megabytes = values["fit_seconds"], values["peak_memory_mb"]
        if not all(isinstance(each, int | float) for each in (seconds, megabytes)):
            raise ValueError(f"{seconds!r} seconds, {megabytes!r} MB")
        return seconds, megabytes


def _newest_addendum(run: Path, part: str) -> Path:
    """The last evaluation of a part that is whole: its manifest was written last."""
    found = sorted((path.parent for path in (run / ADDENDA).glob(f"*/{MANIFEST}")), key=lambda path: path.name.zfill(9))
    newest = [folder for folder in found if read_manifest(folder).get("part") == part]
    if not newest:
        raise InputMissingError(
            f"{run.name} was never evaluated on its {part} part.",
            where=str(run),
            help=f"ohlcv-factory evaluate {run} --part {part}; every look makes the scores of that part worth less",
        )
    open_written(newest[-1])
    return newest[-1]
