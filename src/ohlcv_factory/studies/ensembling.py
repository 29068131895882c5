"""Ensembles: members predict rows that they never saw, a head learns from these answers, and a run is left.

Members are predicted out of fold by the jobs of a cross-validation, all on the same folds; nothing else is ever fed to the
head. Its own fit, stop and calibrate rows are divided and purged as in any run. Then each member is fitted on the whole
train part (or its fold models are averaged), and the ensemble is scored on val like any model, beside its members.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.samples import Samples
from ohlcv_factory.dataset.scaling import Scaler
from ohlcv_factory.evaluation.calibrators import IDENTITY
from ohlcv_factory.evaluation.classification import log_loss
from ohlcv_factory.evaluation.diversity import diversity
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.evaluation.score_table import SCORE_HEADER, baseline_rows, score_row
from ohlcv_factory.features.selection import Selection
from ohlcv_factory.labels.classes import CLASS_NAMES
from ohlcv_factory.models._ensemble.table import table_columns
from ohlcv_factory.runtime.clock import Clock, system_clock
from ohlcv_factory.runtime.display import html_paragraph, html_table
from ohlcv_factory.runtime.progress import meter
from ohlcv_factory.splits.inner import InnerRows
from ohlcv_factory.storage.formats import write_json, write_settings
from ohlcv_factory.storage.ledger import Ledger
from ohlcv_factory.storage.locks import folder_lock
from ohlcv_factory.storage.parquet import write_table
from ohlcv_factory.storage.run_state import StateFile, created_folder, dated_name
from ohlcv_factory.studies.ensemble_settings import EnsembleConfig
from ohlcv_factory.studies.ensemble_verdict import ensemble_verdict
from ohlcv_factory.studies.fold_job import FoldSpec, fold_folder, is_finished, run_fold
from ohlcv_factory.studies.member_choice import MemberChoice, greedy_choice
from ohlcv_factory.studies.members import Member, joined
from ohlcv_factory.training import artifacts, resumption
from ohlcv_factory.training.answers import Answers, fit_answers
from ohlcv_factory.training.bundle import member_pipeline
from ohlcv_factory.training.drift import TrainingRange
from ohlcv_factory.training.ensemble import FittedEnsemble, MemberAnswers, member_answers, prediction_table
from ohlcv_factory.training.fitting import Fit, inner_parts, input_columns, refuse_missing_class, refuse_other_horizon
from ohlcv_factory.training.memory_estimate import refuse_too_large
from ohlcv_factory.training.pipeline import ContainerRows, FittedPipeline, Question, predictions_of
from ohlcv_factory.training.scoring import score_part
from ohlcv_factory.training.settings import TrainerConfig
from ohlcv_factory.training.tracking.session import tracked
from ohlcv_factory.training.tracking.tracker import require_backend
from ohlcv_factory.training.trials import enter_trial, trial_of, weighed

ENSEMBLE_METRICS = Path("metrics") / "ensemble.json"
RunFolds = Callable[[Sequence[FoldSpec]], object]
"""Carries out the jobs of folds (`fold_job.run_fold`), in any order and anywhere that sees the run's folder."""


@dataclass(frozen=True)
class EnsembleResult:
    """A finished ensemble."""

    run_id: str
    path: Path
    evaluation: dict[str, Any]
    """As of any run: scores, baselines and verdict on the val part."""
    ensemble: dict[str, Any]
    """`metrics/ensemble.json`: members, diversity, choice, and `comparison`, which says what won."""
    predictions: Predictions
    """Predictions of every eligible row of the val part."""
    notes: tuple[str, ...]

    def _repr_html_(self) -> str:
        """What a notebook shows: what won, the verdict, scores beside the baselines, the run's folder."""
        evaluation = self.evaluation
        title = f"{evaluation['model_name']} of {', '.join(self.ensemble['members'])}, horizon {evaluation['horizon']}"
        rows = [score_row(evaluation["model_name"], evaluation), *baseline_rows(evaluation)]
        words = [
            self.ensemble["comparison"]["words"], evaluation["verdict"]["words"], *self.notes, f"run: {self.path}",
        ]  # fmt: skip
        return html_table(title, SCORE_HEADER, rows) + "".join(map(html_paragraph, words))


@dataclass(frozen=True)
class OutOfFoldHead(FittedPipeline):
    """The head on out-of-fold answers: how it predicts train rows, which its final members were fitted on."""

    table: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    """`(n, columns)` of all rows of the container; NaN where no member predicted a row out of fold."""

    def predict(self, container: TimeSeriesDataContainer, rows: np.ndarray) -> Predictions:
        """Predictions of some train rows. Raises DataError (65) for one that was not predicted out of fold."""
        return predictions_of(container, rows, self.probabilities(self.table[rows]), self.rule)


@dataclass(frozen=True)
class FittedHead:
    """The head after its fit."""

    fit: Fit
    choice: MemberChoice | None
    members: tuple[str, ...]
    """Those that it reads."""


class EnsembleTrainer:
    """Runs one ensemble on one container. The val part says whether it is worth it; the test part is never touched."""

    def __init__(
        self, config: EnsembleConfig, *, run_folds: RunFolds | None = None, clock: Clock = system_clock
    ) -> None:
        self.config, self.run_folds, self.clock = config, run_folds, clock
        self.model = config.head()
        """The unfitted head with its effective hyper-parameters; making it refuses a bad config before any work."""
        self.cv = config.scheme(self.model)
        self.member_configs = config.member_configs()
        self.attempt = 1
        self.folder: Path | None = None
        """The run folder, once there is one."""

    def plan(self, container: TimeSeriesDataContainer, folder: Path) -> dict[str, Member]:
        """The members with their folds, with everything checked that can be without a fit.

        Raises UsageError (2), DataError (65) or ResourceError (70).
        """
        refuse_other_horizon(container, self.config.horizon)
        refuse_missing_class(container, container.rows("train", scored=True), self.config)
        container.matrix(np.arange(0), self.model.context_columns)  # a context column that is not there is named now
        for config in self.member_configs.values():
            model = config.create_model()
            refuse_too_large(model, len(container), len(input_columns(config, model, container)))
        return {
            name: Member.of(name, config, container, self.cv, folder) for name, config in self.member_configs.items()
        }

    def outlook(self, container: TimeSeriesDataContainer) -> dict[str, Any]:
        """What a run would take, without running it: rows, folds and fits; nothing is written. Raises what `plan` does."""
        members = self.plan(container, self.config.output_dir)
        fold_count = {name: len(member.folds.folds) for name, member in members.items()}
        first = next(iter(members.values())).folds
        return {
            "model": self.config.model_name,
            "members": {name: member.config.model_name for name, member in members.items()},
            "horizon": self.config.horizon,
            "scheme": self.cv.scheme,
            "folds": [record["rows"] for record in first.records()],
            "rows_train": len(container.rows("train")),
            "rows_out_of_fold": len(first.covered()),
            "rows_val": len(container.rows("val")),
            "fits": sum(fold_count.values()) + (0 if self.cv.keep_models else len(members)),
        }

    def run(self, container: TimeSeriesDataContainer) -> EnsembleResult:
        """Train, score and save in a new run folder. Raises what the steps raise; its state then says FAILED and why."""
        self.plan(container, self.config.output_dir)  # what can be refused leaves no folder
        require_backend(self.config.experiment)
        name = dated_name(f"{self.config.model_name}_h{self.config.horizon}", self.clock)
        folder = created_folder(self.config.output_dir / name, self.clock)
        with folder_lock(folder, "a training"):
            return self._attempt(folder, container)

    def resume(self, folder: Path, container: TimeSeriesDataContainer) -> EnsembleResult:
        """Complete a run that was cut off: folds and members that are whole stay, the rest is fitted.

        Raises UsageError (2) for a finished run, or one that began with other data or settings.
        """
        with folder_lock(folder, "the training of this run"):
            self.attempt = 1 + resumption.unfinished_attempt(folder)
            resumption.refuse_other_start(folder, self._settings(), container)
            return self._attempt(folder, container)

    def _settings(self) -> dict[str, Any]:
        return artifacts.repeatable_config(self.config, self.model)

    def _attempt(self, folder: Path, container: TimeSeriesDataContainer) -> EnsembleResult:
        self.folder = folder
        state = StateFile(folder, self.clock, attempt=self.attempt)
        log = artifacts.RunLog(folder / "logs" / "training.log", self.clock)
        with (
            tracked(folder, self.config.tracking, self.clock, self.attempt),
            artifacts.attempt_at_work(state, log),
        ):
            return self._run_in(folder, container, log)

    def _run_in(self, folder: Path, container: TimeSeriesDataContainer, log: artifacts.RunLog) -> EnsembleResult:
        log.write(f"{self.config.model_name} of {', '.join(self.member_configs)} at horizon {self.config.horizon}")
        members = self.plan(container, folder)
        self._write_start(folder, container)
        enter_trial(self._ledger, self.config, self._trial(folder.name, self.config, container))
        rows = self._fit_folds(members, container, log)
        answers = joined({name: member.out_of_fold() for name, member in members.items()}, container, rows)
        head = self._fit_head(container, rows, answers)
        pipelines = self._final_members(folder, members, container, log)
        places = {name: members[name].bundles() for name in head.members}
        chosen = {name: pipelines[name] for name in head.members}
        ensemble = FittedEnsemble(head.fit.pipeline, chosen, self.model.context_columns)
        artifacts.write_ensemble_features(folder, ensemble, places, container)
        head = replace(head, fit=replace(head.fit, training_range=training_range(ensemble, container)))
        spent = sum(member.fit_seconds for member in members.values())
        result = self._scored(folder, container, rows, answers, head, ensemble, pipelines, spent)
        log.write(f"finished: {result.ensemble['comparison']['words']}")
        artifacts.write_manifest(folder, self.config, head.fit.pipeline, container)
        return result

    def _write_start(self, folder: Path, container: TimeSeriesDataContainer) -> None:
        """The recipe that repeats the run, the head's settings, and what a resume is checked by."""
        recipe = {
            **self._settings(),
            **artifacts.tracking_key(self.config),
            "dataset": container.origin,
            "symbol": container.symbol,
            "plugins": [record["place"] for record in container.data_spec["plugins"]],
            "threads": self.model.threads,
        }
        write_settings(folder / "config" / "training_config.yaml", recipe)
        artifacts.write_model_config(folder, self.model)
        artifacts.write_start(folder, self._settings(), container)

    @property
    def _ledger(self) -> Ledger:
        return Ledger.in_folder(self.config.experiments_folder, self.clock)

    def _trial(self, run_id: str, config: TrainerConfig, container: TimeSeriesDataContainer) -> dict[str, Any]:
        """What the ledger keeps of the head or of a member: its folds and its last fit are one trial."""
        settings = self._settings() if config is self.config else config.plain()
        return trial_of(run_id, config, settings, container)

    def _fit_folds(
        self, members: Mapping[str, Member], container: TimeSeriesDataContainer, log: artifacts.RunLog
    ) -> np.ndarray:
        """Every fold that is not finished yet; the rows that all members then predict out of fold come back."""
        specs = {name: [spec for spec in each.fold_specs() if not is_finished(spec)] for name, each in members.items()}
        for name, waiting in specs.items():
            for spec in waiting:
                run_id = f"{members[name].run.name}/{name}/{fold_folder(spec).name}"
                config = members[name].config
                enter_trial(self._ledger, config, self._trial(run_id, config, container))
        waiting = [spec for each in specs.values() for spec in each]
        if self.run_folds is not None:
            self.run_folds(waiting)
        else:
            _fit_here(waiting, container, log)
        covered: np.ndarray = next(iter(members.values())).folds.covered()
        return covered

    def _fit_head(
        self, container: TimeSeriesDataContainer, rows: np.ndarray, answers: Mapping[str, MemberAnswers]
    ) -> FittedHead:
        """Fit on out-of-fold answers about the scored ones of some train rows, and on nothing else."""
        scored = rows[container.labels.scored[rows]]
        inner = inner_parts(container, scored)
        choice = self._choose(container, rows, scored, inner, answers)
        chosen = choice.chosen if choice else tuple(answers)
        columns = table_columns(chosen, self.model.context_columns)
        table = self._table(container, rows, {name: answers[name] for name in chosen})
        fit_rows, stop_rows = (
            self._samples(container, scored[part], table, columns) for part in (inner.fit, inner.stop)
        )
        metrics = self.model.fit(fit_rows, stop_rows)
        bare = OutOfFoldHead(self.model, columns, Scaler.fit("none", table[:1]), IDENTITY, table=table)
        found = fit_answers(self.config, container, scored[inner.calibrate], bare)
        pipeline = FittedPipeline(self.model, columns, bare.scaler, found.calibrator, found.rule)
        counts = _row_counts(scored, inner, found)
        notes = (*inner.notes, *found.notes)
        unwatched = TrainingRange((), np.empty(0, np.float32), np.empty(0, np.float32))
        return FittedHead(Fit(pipeline, metrics, counts, notes, Selection("none", columns), unwatched), choice, chosen)

    def _choose(
        self,
        container: TimeSeriesDataContainer,
        rows: np.ndarray,
        scored: np.ndarray,
        inner: InnerRows,
        answers: Mapping[str, MemberAnswers],
    ) -> MemberChoice | None:
        if self.config.choose == "all":
            return None
        inside = container.labels.scored[rows]
        probabilities = {name: each.calibrated[inside] for name, each in answers.items()}
        return greedy_choice(probabilities, container.labels.label[scored], inner.fit, inner.stop)

    def _table(
        self, container: TimeSeriesDataContainer, rows: np.ndarray, answers: Mapping[str, MemberAnswers]
    ) -> np.ndarray:
        """The head's columns for all rows of the container, NaN but for the rows predicted out of fold."""
        wanted = self.model.context_columns
        context = container.matrix(rows, wanted) if wanted else None
        found = prediction_table(answers, context, calibrated=self.model.input_spec.calibrated)
        table = np.full((len(container), found.shape[1]), np.nan, dtype=np.float32)
        table[rows] = found
        return table

    def _samples(
        self, container: TimeSeriesDataContainer, rows: np.ndarray, table: np.ndarray, columns: tuple[str, ...]
    ) -> Samples:
        inputs, weighting = table[rows], self.config.weighting
        return container.samples(
            rows, columns=columns, inputs=inputs, weighting=weighting, balanced=self.config.balanced
        )

    def _final_members(
        self,
        folder: Path,
        members: Mapping[str, Member],
        container: TimeSeriesDataContainer,
        log: artifacts.RunLog,
    ) -> dict[str, tuple[FittedPipeline, ...]]:
        """The members as they predict rows to come, read back from the bundles that the run keeps.

        Also those that were not chosen: the ensemble is to beat the best of all of them.
        """
        for name, member in members.items():
            if not self.cv.keep_models and not member.final_is_there:
                trial = self._trial(f"{folder.name}/{name}", member.config, container)
                enter_trial(self._ledger, member.config, trial)
                member.fit_final()
                log.write(f"member {name} is fitted on the train part")
        return {
            name: tuple(member_pipeline(folder / place) for place in member.bundles())
            for name, member in members.items()
        }

    def _scored(
        self,
        folder: Path,
        container: TimeSeriesDataContainer,
        rows: np.ndarray,
        answers: Mapping[str, MemberAnswers],
        head: FittedHead,
        ensemble: FittedEnsemble,
        pipelines: Mapping[str, tuple[FittedPipeline, ...]],
        spent: float,
    ) -> EnsembleResult:
        """Predict and score the val part, compare with members and plain average, and write everything down.

        `spent` are the seconds that the fits of the members took: the run's training time is theirs and the head's.
        """
        val, fit, seed = container.rows("val"), head.fit, self.config.random_seed
        source = ContainerRows(container, val)
        said = member_answers(pipelines, source)
        read = {name: said[name] for name in head.members}
        predictions = predictions_of(container, val, ensemble.combined(read, source), ensemble.rule)
        scores = score_part("val", predictions, container, seed=seed, rule=ensemble.rule)
        (scores,) = weighed([scores], self._ledger, self._trial(folder.name, self.config, container), scores.part)
        evaluation = artifacts.evaluation_block(self.config, self.clock(), fit, scores)
        evaluation["training"]["training_time_seconds"] += spent
        calibrated = {name: each.calibrated for name, each in said.items()}
        uniqueness, code = container.labels.uniqueness[val], evaluation["verdict"]["code"]
        facts = {
            "members": {name: {"model": self.member_configs[name].model_name} for name in answers},
            "read_by_the_head": list(head.members),
            "final": self.config.final,
            "choice": head.choice.plain() if head.choice else None,
            "out_of_fold": self._out_of_fold_facts(container, rows, answers),
            "comparison": ensemble_verdict(predictions, calibrated, uniqueness, code, seed=seed),
        }
        artifacts.write_model(folder, fit, Question(ensemble.table(read, source)))
        artifacts.write_predictions(folder, "val", predictions, scores)
        _write_answers(folder / "predictions" / "oof_members.parquet", container, rows, answers)
        _write_answers(folder / "predictions" / "val_members.parquet", container, val, said)
        artifacts.write_training_metrics(folder, fit)
        artifacts.write_evaluation_metrics(folder, evaluation)
        write_json(folder / ENSEMBLE_METRICS, facts)
        artifacts.write_plots(folder, fit, evaluation)
        return EnsembleResult(folder.name, folder, evaluation, facts, predictions, fit.notes)

    def _out_of_fold_facts(
        self, container: TimeSeriesDataContainer, rows: np.ndarray, answers: Mapping[str, MemberAnswers]
    ) -> dict[str, Any]:
        """How much of the train part was predicted out of fold, how well by each member, and how differently."""
        inside = container.labels.scored[rows]
        truth = container.labels.label[rows[inside]]
        decisions = {name: each.calibrated[inside].argmax(axis=1) for name, each in answers.items()}
        return {
            "scheme": self.cv.scheme,
            "rows": {"train": len(container.rows("train")), "covered": len(rows), "scored": int(inside.sum())},
            "log_loss": {name: log_loss(truth, each.calibrated[inside]) for name, each in answers.items()},
            "diversity": diversity(decisions, truth),
        }


def training_range(ensemble: FittedEnsemble, container: TimeSeriesDataContainer) -> TrainingRange:
    """Where the columns that an ensemble reads lie in the train part; of raw bars nothing is kept, as in any run."""
    computed = [each.columns for each in ensemble.pipelines if not each.model.input_spec.padded]
    columns = tuple(dict.fromkeys((*(name for names in computed for name in names), *ensemble.context)))
    return TrainingRange.fit(container.matrix(container.rows("train", scored=True), columns), columns)


def train_ensemble(config: EnsembleConfig, container: TimeSeriesDataContainer) -> EnsembleResult:
    """Train, score and save an ensemble of members of any families; see `EnsembleTrainer.run`."""
    return EnsembleTrainer(config).run(container)


def _fit_here(waiting: Sequence[FoldSpec], container: TimeSeriesDataContainer, log: artifacts.RunLog) -> None:
    with meter(len(waiting), "folds of members") as bar, log.listening():
        for spec in waiting:
            run_fold(spec, container)
            log.write(f"{Path(spec['study']).name}: fold {spec['config']['fold']} is finished")
            bar.update()


def _row_counts(rows: np.ndarray, inner: InnerRows, answers: Answers) -> dict[str, int]:
    counts = {"train": len(rows), "fit": len(inner.fit), "stop": len(inner.stop), "calibrate": len(inner.calibrate)}
    return counts | ({"decide": answers.decision_rows} if answers.decision_rows else {})


def _write_answers(
    path: Path, container: TimeSeriesDataContainer, rows: np.ndarray, answers: Mapping[str, MemberAnswers]
) -> None:
    """Symbol, time, and raw and calibrated probabilities of each member: `lstm.raw_short`, `lstm.p_short`, …"""
    index = container.index[rows]
    columns: dict[str, Any] = {
        "symbol": np.array(container.symbols)[index["symbol_code"]],
        "time": pl.Series(index["time_ns"].copy()).cast(pl.Datetime("ns", "UTC")),
    }
    for name, each in answers.items():
        for prefix, values in (("raw", each.raw), ("p", each.calibrated)):
            columns |= {f"{name}.{prefix}_{word}": values[:, code].copy() for code, word in enumerate(CLASS_NAMES)}
    write_table(path, pl.DataFrame(columns))
