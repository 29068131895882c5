"""Cross-validation: the fit of a run, fold by fold over the train part, and what it predicts of rows it never saw.

Everything that is fitted is fitted inside a fold, because a fold is a container of its own parts and the fit knows no
other. A finished fold is never fitted again: a study that was cut off goes on where it stopped.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.errors import DataError, FactoryWarning, UsageError, told_again
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.evaluation.score_table import SCORE_HEADER, baseline_rows, score_row
from ohlcv_factory.runtime.clock import Clock, system_clock
from ohlcv_factory.runtime.display import html_paragraph, html_table
from ohlcv_factory.runtime.progress import meter
from ohlcv_factory.runtime.threads import thread_count
from ohlcv_factory.splits.splitter import Splitter
from ohlcv_factory.storage import atomic
from ohlcv_factory.storage.digests import array_digest
from ohlcv_factory.storage.formats import read_json, told_as_damage, write_json, write_settings
from ohlcv_factory.storage.ledger import Ledger
from ohlcv_factory.studies.drift import drift_curve, plot_drift
from ohlcv_factory.studies.executor.job import JobSpec
from ohlcv_factory.studies.executor.protocol import Executor, run_jobs
from ohlcv_factory.studies.final_model import FinalModel, fit_final_model
from ohlcv_factory.studies.fold_importance import fold_importance
from ohlcv_factory.studies.fold_job import (
    FOLDS_FOLDER,
    FoldResult,
    FoldSpec,
    fold_folder,
    fold_spec,
    is_finished,
    job_digest,
    run_fold,
)
from ohlcv_factory.studies.fold_scores import SKILL, block_stability, summary
from ohlcv_factory.studies.folds import TrainFolds, planned_folds
from ohlcv_factory.studies.out_of_fold import OutOfFold, out_of_fold, part_name, path_scores
from ohlcv_factory.studies.settings import CrossValidationConfig
from ohlcv_factory.studies.study_folder import (
    CROSS_VALIDATION,
    RECIPE,
    at_work,
    new_study_folder,
    write_study_manifest,
)
from ohlcv_factory.training import artifacts
from ohlcv_factory.training.fitting import refuse_other_horizon
from ohlcv_factory.training.resumption import unfinished_attempt
from ohlcv_factory.training.scoring import Scores, class_shares
from ohlcv_factory.training.settings import TrainerConfig
from ohlcv_factory.training.tracking.tracker import require_backend
from ohlcv_factory.training.trials import OUT_OF_FOLD, enter_trial, trial_of, weighed

FOLDS = "folds.json"
METRICS = Path("metrics") / "metrics.json"
IMPORTANCE_METRICS = Path("metrics") / "importance.json"
DRIFT = Path("plots") / "drift.png"

DETAILS = ("baselines", "breakdown")
"""What `metrics.json` leaves to the `scores.json` of each fold."""

RunFolds = Callable[[Sequence[FoldSpec]], object]
"""Carries out the jobs of folds (`fold_job.run_fold`), in any order and anywhere that sees the study's folder."""
WritePage = Callable[[Path], object]
"""Writes a page about the study into its folder, before the manifest closes it (`reports.study_report`)."""


@dataclass(frozen=True)
class CrossValidationResult:
    """A finished cross-validation."""

    study_id: str
    path: Path
    folds: tuple[FoldResult, ...]
    paths: tuple[OutOfFold, ...]
    """One for kfold and walk-forward, several for combinatorial."""
    metrics: dict[str, Any]
    """`metrics.json`: scores of each tested block, summary, stability, and of each path."""
    importance: list[dict[str, Any]] | None = None
    """`importance.json`: permutation importance with its spread over the folds, where it was asked for."""
    final: FinalModel | None = None
    """The model of all train rows, where it was asked for."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Where embargoes were lowered, and what the fits had to say, each once."""
        return tuple(self.metrics["notes"])

    @property
    def predictions(self) -> Predictions:
        """The out-of-fold predictions. Raises UsageError (2) where there are several paths, so that none is the one."""
        if len(self.paths) > 1:
            raise UsageError(
                f"this study has {len(self.paths)} paths.", help="take one of `paths`, or use scheme kfold"
            )
        return self.paths[0].predictions

    def _repr_html_(self) -> str:
        """What a notebook shows: verdict and scores of the path beside the baselines, the spread over the folds."""
        block = self.metrics["out_of_fold"][0]
        rows = [score_row(self.metrics["model_name"], block), *baseline_rows(block)]
        title = f"{self.metrics['model_name']}, horizon {self.metrics['horizon']}, out of fold"
        words = [block["verdict"]["words"], stability_words(self.metrics), f"study: {self.path}"]
        return html_table(title, SCORE_HEADER, rows) + "".join(map(html_paragraph, words))


def cross_validate(
    config: TrainerConfig,
    container: TimeSeriesDataContainer,
    cv: CrossValidationConfig | Splitter | None = None,
    *,
    run_folds: RunFolds | None = None,
    write_page: WritePage | None = None,
    clock: Clock = system_clock,
) -> CrossValidationResult:
    """Fit and score a config fold by fold on the train part of a container, and leave a study folder.

    `cv` says how (default: purged 5-fold); `run_folds` carries the jobs out elsewhere than in this process. Rows of val
    and test are in no fold and change nothing. Raises UsageError (2) for settings that cannot be obeyed, DataError (65)
    for folds that are too small; the study's state then says FAILED and why.
    """
    study = CrossValidation(config, cv, run_folds=run_folds, write_page=write_page, clock=clock)
    return study.run(container)


def on_executor(executor: Executor) -> RunFolds:
    """Folds as jobs of an open executor, for `cross_validate(…, run_folds=…)`.

    The study then also holds `jobs/<id>/`, see `executor.work`. The error of a fold that fails is raised here.
    """

    def run(specs: Sequence[FoldSpec]) -> None:
        results = run_jobs(executor, [JobSpec.made("fold", **spec) for spec in specs])
        failed = [result.error for result in results if result.error]
        if failed:
            raise told_again(failed[0])
        repeated = sum(result.attempts > 1 for result in results)
        if repeated:
            warnings.warn(
                f"{repeated} of {len(results)} folds were begun again: their workers died", FactoryWarning, stacklevel=2
            )

    return run


class CrossValidation:
    """A cross-validation of one config, which can be cut off and resumed."""

    def __init__(
        self,
        config: TrainerConfig,
        cv: CrossValidationConfig | Splitter | None = None,
        *,
        run_folds: RunFolds | None = None,
        write_page: WritePage | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self.config = config
        self.cv = CrossValidationConfig.of(cv) if isinstance(cv, Splitter) else cv or CrossValidationConfig()
        self.run_folds, self.write_page, self.clock = run_folds, write_page, clock
        self.model = config.create_model()
        """An unfitted model with the effective hyper-parameters; making it refuses a bad config before any work."""
        self.folder: Path | None = None
        """The study folder, once there is one."""

    def plan(self, container: TimeSeriesDataContainer) -> TrainFolds:
        """The folds, with everything checked that can be without a fit.

        Raises UsageError (2), DataError (65) or ResourceError (70).
        """
        refuse_other_horizon(container, self.config.horizon)
        if self.cv.final and self.config.decision != "argmax":
            raise UsageError(
                f"the final model of a study decides by argmax, got decision: {self.config.decision}.",
                where="cv.final",
                help="train has thresholds and conformal sets, on calibrate rows of its own",
            )
        return planned_folds(self.config, self.model, self.cv, container)

    def run(self, container: TimeSeriesDataContainer) -> CrossValidationResult:
        """All folds in a new study folder."""
        folds = self.plan(container)
        require_backend(self.config.experiment)
        folder = new_study_folder(CROSS_VALIDATION, self.config, self.clock)
        return self._attempt(folder, folds, 1)

    def resume(self, folder: Path, container: TimeSeriesDataContainer) -> CrossValidationResult:
        """Complete a study that was cut off: folds that are finished are taken as they are.

        Raises UsageError (2) for a finished study, or one that began with other data, settings, or another version.
        """
        attempt = 1 + unfinished_attempt(folder)
        folds = self.plan(container)
        if (folder / FOLDS).is_file():
            self._refuse_other_start(folder, folds)
        return self._attempt(folder, folds, attempt)

    def _attempt(self, folder: Path, folds: TrainFolds, attempt: int) -> CrossValidationResult:
        self.folder = folder
        with at_work(folder, self.clock, attempt, self.config.tracking) as log:
            name, horizon = self.config.model_name, self.config.horizon
            log.write(f"{name} at horizon {horizon}, {self.cv.scheme}, {len(folds.folds)} folds, attempt {attempt}")
            specs = self._specs(folder, folds)
            self._write_start(folder, folds, specs)
            self._fit(specs, folds.container, log)
            result = self._complete(folder, folds, specs)
            log.write(f"finished: {result.metrics['out_of_fold'][0]['verdict']['words']}")
            self._write_manifest(folder, folds)
        return result

    def _specs(self, folder: Path, folds: TrainFolds) -> list[FoldSpec]:
        """The jobs. A class that a fold lacks is warned of, not refused: the train part as a whole was checked."""
        complete = {**artifacts.repeatable_config(self.config, self.model), "allow_missing_class": True}
        config = TrainerConfig.parse(complete, where="config")
        return [fold_spec(config, self.cv, folds, fold.number, folder, threads=thread_count()) for fold in folds.folds]

    def _write_start(self, folder: Path, folds: TrainFolds, specs: Sequence[FoldSpec]) -> None:
        """The recipe that repeats the study, and the folds."""
        container = folds.container
        recipe = {
            **artifacts.repeatable_config(self.config, self.model),
            **artifacts.tracking_key(self.config),
            "dataset": container.origin,
            "symbol": container.symbol,
            "plugins": artifacts.plugin_files(self.model, container),
            "threads": self.model.threads,
            "cv": self.cv.plain(),
        }
        write_settings(folder / RECIPE, recipe)
        records = [{**record, "job": job_digest(spec)} for record, spec in zip(folds.records(), specs, strict=True)]
        facts = {"data_fingerprint": container.fingerprint, "paths": folds.splitter.paths.tolist(), "folds": records}
        write_json(folder / FOLDS, facts)

    def _refuse_other_start(self, folder: Path, folds: TrainFolds) -> None:
        began = read_json(folder / FOLDS)
        with told_as_damage(folder / FOLDS):
            fingerprint, jobs = began["data_fingerprint"], [record["job"] for record in began["folds"]]
        now = [job_digest(spec) for spec in self._specs(folder, folds)]
        if fingerprint != folds.container.fingerprint:
            raise UsageError(
                "the study began with other data.", where=str(folder), help="give its dataset, or start anew"
            )
        if jobs != now:
            raise UsageError(
                "the study began with other settings, other folds, or another version of the factory.",
                where=str(folder),
                help="start a new study",
            )

    def _fit(self, specs: Sequence[FoldSpec], container: TimeSeriesDataContainer, log: artifacts.RunLog) -> None:
        """Every fold that is not finished yet, each entered into the ledger once."""
        waiting = [spec for spec in specs if not is_finished(spec)]
        if len(waiting) < len(specs):
            log.write(f"{len(specs) - len(waiting)} folds are finished already")
        if self.run_folds is not None:
            for spec in waiting:
                self._enter_ledger(spec, container)
            self.run_folds(waiting)
        else:
            self._fit_here(waiting, container, log)
        missing = [spec["config"]["fold"] for spec in specs if not is_finished(spec)]
        if missing:
            raise DataError(f"folds {missing} have left no whole result.", help="resume the study")

    def _fit_here(self, waiting: Sequence[FoldSpec], container: TimeSeriesDataContainer, log: artifacts.RunLog) -> None:
        with meter(len(waiting), "folds") as bar, log.listening():
            for spec in waiting:
                self._enter_ledger(spec, container)
                run_fold(spec, container)
                log.write(f"fold {spec['config']['fold']} is finished")
                bar.update()

    def _enter_ledger(self, spec: FoldSpec, container: TimeSeriesDataContainer) -> None:
        """One entry per fold: a fold that is done again after a cut was entered before."""
        run_id = f"{Path(spec['study']).name}/{fold_folder(spec).name}"
        enter_trial(self._ledger, self.config, self._trial(run_id, container))

    @property
    def _ledger(self) -> Ledger:
        return Ledger.in_folder(self.config.experiments_folder, self.clock)

    def _trial(self, run_id: str, container: TimeSeriesDataContainer) -> dict[str, Any]:
        """What the ledger keeps of a fold or of the study: the same configuration, so all of them are one trial."""
        return trial_of(run_id, self.config, artifacts.repeatable_config(self.config, self.model), container)

    def _complete(self, folder: Path, folds: TrainFolds, specs: Sequence[FoldSpec]) -> CrossValidationResult:
        """Put together what the folds left, in their order, score it and write it down."""
        atomic.remove_partial(folder / FOLDS_FOLDER)
        results = tuple(
            FoldResult.read(fold_folder(spec), fold.number, folds.container, folds.tested(fold))
            for spec, fold in zip(specs, folds.folds, strict=True)
        )
        paths = tuple(out_of_fold(folds, results, path) for path in folds.splitter.paths.tolist())
        names = [part_name(None if len(paths) == 1 else number) for number in range(1, len(paths) + 1)]
        seed = self.config.random_seed
        scores = [path_scores(name, path, folds, seed=seed) for name, path in zip(names, paths, strict=True)]
        trial = self._trial(folder.name, folds.container)
        scores = weighed(scores, self._ledger, trial, OUT_OF_FOLD)
        for name, path, each in zip(names, paths, scores, strict=True):
            artifacts.write_predictions(folder, name, path.predictions, each, path.fold)
        final = self._final_model(folder, folds, paths[0].predictions, trial) if self.cv.final else None
        metrics = {**self._metrics(results, scores, folds), "final_model": final and final.facts()}
        write_json(folder / METRICS, metrics)
        importance = self._importance(folder, results)
        entries = [entry for result in results for entry in result.blocks]
        shares = class_shares(folds.container, folds.container.rows("train", scored=True))
        plot_drift(folder / DRIFT, entries, drift_curve(paths[0].predictions, shares))
        if self.write_page is not None:
            self.write_page(folder)
        return CrossValidationResult(folder.name, folder, results, paths, metrics, importance, final)

    def _final_model(self, folder: Path, folds: TrainFolds, found: Predictions, trial: Mapping[str, Any]) -> FinalModel:
        """The same configuration as the folds', so no trial more."""

        def judge(scores: Scores) -> Scores:
            (own,) = weighed([scores], self._ledger, trial, scores.part)
            return own

        return fit_final_model(folder, self.config, folds.container, found, folds.covered(), judge, self.clock())

    def _importance(self, folder: Path, results: Sequence[FoldResult]) -> list[dict[str, Any]] | None:
        """`metrics/importance.json` over the folds, where it was asked for."""
        known = [result.importance for result in results if result.importance is not None]
        if not known:
            return None
        found = fold_importance(known)
        write_json(folder / IMPORTANCE_METRICS, found)
        return found

    def _write_manifest(self, folder: Path, folds: TrainFolds) -> None:
        covered = folds.container.index[folds.covered()]
        more = {
            "scheme": self.cv.scheme,
            "paths": len(folds.splitter.paths),
            "covered_digest": array_digest(covered["symbol_code"].copy(), covered["time_ns"].copy()),
            "instruments": folds.container.data_spec["instruments"],
        }
        write_study_manifest(folder, CROSS_VALIDATION, self.config, self.model, folds.container, self.clock, more)

    def _metrics(self, results: Sequence[FoldResult], scores: Sequence[Scores], folds: TrainFolds) -> dict[str, Any]:
        """`metrics.json`: the same bytes wherever the folds were done."""
        entries = [entry for result in results for entry in result.blocks]
        paths = [{"path": number, "rows": each.rows, **each.block} for number, each in enumerate(scores, start=1)]
        return {
            "model_name": self.config.model_name,
            "family": self.model.family,
            "horizon": self.config.horizon,
            "scheme": self.cv.scheme,
            "rows": {"train": len(folds.rows), "covered": len(folds.covered())},
            "folds": [{"fold": result.number, **fit_facts(result)} for result in results],
            "blocks": [{name: value for name, value in entry.items() if name not in DETAILS} for entry in entries],
            "summary": summary(entries),
            "stability": block_stability(entries),
            "out_of_fold": paths,
            "path_summary": summary(paths) if len(paths) > 1 else None,
            "notes": _each_once([fold.notes for fold in folds.folds], [result.fit["notes"] for result in results]),
        }


def fit_facts(result: FoldResult) -> dict[str, Any]:
    """Of a fold's fit: rows of each inner part, rounds, columns and notes."""
    fit = result.fit
    rounds = {name: fit[name] for name in ("epochs_trained", "best_epoch", "early_stopped")}
    return {"rows": fit["rows"], **rounds, "columns": len(fit["columns"]), "notes": fit["notes"]}


def stability_words(metrics: Mapping[str, Any]) -> str:
    """The grade and the spread of the log-loss skill over the blocks, as one sentence."""
    found = metrics["stability"]
    skill = found[SKILL]
    if found["grade"] is None:
        return f"Stability: undefined, {skill['blocks']} blocks have a score with an interval, 3 are needed."
    mean = metrics["summary"][SKILL]["mean"]
    return (
        f"Stability {found['grade']}: log-loss skill {mean:+.4f} nats on average over {skill['blocks']} blocks, spread "
        f"{skill['spread']:.4f}, by chance alone {skill['chance']:.4f}; {skill['beyond_chance']:.0%} of the spread is drift."
    )


def _each_once(*notes: Sequence[Sequence[str]]) -> list[str]:
    return list(dict.fromkeys(note for kind in notes for said in kind for note in said))
