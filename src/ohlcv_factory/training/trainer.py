"""One run: fit, predict the val part, score it beside the baselines, leave a folder that is complete or says why not."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.evaluation.score_table import SCORE_HEADER, baseline_rows, score_row
from ohlcv_factory.models.base import TrainingMetrics
from ohlcv_factory.runtime.clock import Clock, system_clock
from ohlcv_factory.runtime.display import html_paragraph, html_table
from ohlcv_factory.runtime.progress import PER_CENT, Meter, meter
from ohlcv_factory.storage import atomic
from ohlcv_factory.storage.checkpoints import CheckpointManager
from ohlcv_factory.storage.ledger import Ledger
from ohlcv_factory.storage.locks import folder_lock
from ohlcv_factory.storage.run_state import StateFile, created_folder, dated_name
from ohlcv_factory.training import artifacts, resumption
from ohlcv_factory.training.bundle import require_model
from ohlcv_factory.training.explanation import explain_part, write_explanation
from ohlcv_factory.training.fitting import Fit, fit_pipeline, input_columns, refuse_other_horizon
from ohlcv_factory.training.importance import importance_frame
from ohlcv_factory.training.memory_estimate import out_of_memory, refuse_too_large
from ohlcv_factory.training.overlap import overlap_notes
from ohlcv_factory.training.reference import reference_question
from ohlcv_factory.training.scoring import Scores, score_part
from ohlcv_factory.training.settings import TrainerConfig
from ohlcv_factory.training.tracking.session import tracked
from ohlcv_factory.training.tracking.spool import SilentSpool, Spool
from ohlcv_factory.training.tracking.tracker import require_backend
from ohlcv_factory.training.trials import enter_trial, trial_of, weighed

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class RunResult:
    """A finished run."""

    run_id: str
    path: Path
    training: TrainingMetrics
    evaluation: dict[str, Any]
    """The `evaluation_metrics` block of the metrics file: scores, baselines and verdict on the val part."""
    predictions: Predictions
    """Predictions of every eligible row of the val part."""
    notes: tuple[str, ...]
    importance: pl.DataFrame | None
    """feature, importance, cumulative, category, most important first; None where the model has none."""

    def _repr_html_(self) -> str:
        """What a notebook shows: verdict, scores beside the baselines, the run's folder."""
        evaluation = self.evaluation
        title = f"{evaluation['model_name']}, horizon {evaluation['horizon']}, part {evaluation['part']}"
        rows = [score_row(evaluation["model_name"], evaluation), *baseline_rows(evaluation)]
        words = [evaluation["verdict"]["words"], *self.notes, f"run: {self.path}"]
        return html_table(title, SCORE_HEADER, rows) + "".join(map(html_paragraph, words))


class Trainer:
    """Runs one configuration on one container. The val part chooses among models; the test part is never touched."""

    def __init__(self, config: TrainerConfig, *, clock: Clock = system_clock, in_study: bool = False) -> None:
        self.config = config
        self.clock = clock
        self.in_study = in_study
        """Whether the trial is entered into the ledger by the study that asked for it: workers may be on other machines."""
        self.model = config.create_model()
        """An unfitted model with the effective hyper-parameters; making it refuses a bad config before any work."""
        self.model.check_ready()
        self.attempt = 1
        self.folder: Path | None = None
        """The run folder, once there is one."""
        self.spool: Spool | SilentSpool = SilentSpool()
        """Where trackers read what happens."""

    def run(self, container: TimeSeriesDataContainer, *, run_id: str | None = None) -> RunResult:
        """Train, score and save. Raises what the steps raise; the run folder then says FAILED and why.

        `run_id` names the run folder; without it model, horizon, time and a random part do.
        """
        refuse_other_horizon(container, self.config.horizon)
        self._refuse_what_cannot_be(container)
        if not self.in_study:  # the study's driver has looked; another machine then keeps the events for `sync`
            require_backend(self.config.experiment)
        folder = created_folder(self.config.output_dir / (run_id or self.new_run_id()), self.clock)
        with folder_lock(folder, "a training"):
            return self._attempt(folder, container)

    def resume(self, folder: Path, container: TimeSeriesDataContainer) -> RunResult:
        """Complete, in its own folder, a run that was cut off; made from the run's own config (`resumption.run_recipe`).

        A model that is `resumable` continues from its newest whole checkpoint to the bytes of the uninterrupted run; any
        other is trained again from the start. Raises LockedError (75) while another process is at work on the run,
        UsageError (2) for a finished run, or where data or settings are no longer those that it began with, or a plugin
        was not named, and VerificationError (76) for a plugin that has changed.
        """
        with folder_lock(folder, "the training of this run"):
            self.attempt = 1 + resumption.unfinished_attempt(folder)
            require_model(folder)
            resumption.refuse_other_start(folder, artifacts.repeatable_config(self.config, self.model), container)
            self._refuse_what_cannot_be(container)
            return self._attempt(folder, container)

    def _refuse_what_cannot_be(self, container: TimeSeriesDataContainer) -> None:
        """A bad set, a plugin that is missing, too little memory: such a run leaves no folder behind."""
        refuse_too_large(self.model, len(container), len(self._columns(container)))

    def _enough_memory(self, container: TimeSeriesDataContainer) -> AbstractContextManager[None]:
        return out_of_memory(self.model, len(container), len(self._columns(container)))

    def _columns(self, container: TimeSeriesDataContainer) -> tuple[str, ...]:
        return input_columns(self.config, self.model, container)

    def _attempt(self, folder: Path, container: TimeSeriesDataContainer) -> RunResult:
        self.folder = folder
        self._state = StateFile(folder, self.clock, attempt=self.attempt)
        log = artifacts.RunLog(folder / "logs" / "training.log", self.clock)
        with (
            tracked(folder, self.config.tracking, self.clock, self.attempt) as self.spool,
            artifacts.attempt_at_work(self._state, log),
            self._enough_memory(container),
        ):
            return self._run_in(folder, container, log)

    def run_full_pipeline(self, container: TimeSeriesDataContainer) -> dict[str, Any]:
        """`run` with the specification's keys: run_id, training_metrics, evaluation_metrics, output_path."""
        result = self.run(container)
        return {
            "run_id": result.run_id,
            "training_metrics": result.training,
            "evaluation_metrics": result.evaluation,
            "output_path": str(result.path),
        }

    def _run_in(self, folder: Path, container: TimeSeriesDataContainer, log: artifacts.RunLog) -> RunResult:
        log.write(f"{self.config.model_name} at horizon {self.config.horizon} on {', '.join(container.symbols)}")
        if self.attempt == 1:
            artifacts.write_configs(folder, self.config, self.model, container)
        self._enter_ledger(folder, container)
        fit = self._fit(folder, container, log)
        predictions = fit.pipeline.predict(container, container.rows("val"))
        seed, rule = self.config.random_seed, fit.pipeline.rule
        scores = self._weighed(folder, container, score_part("val", predictions, container, seed=seed, rule=rule))
        model = fit.pipeline.model
        fit = replace(fit, notes=(*fit.notes, *model.notes(), *overlap_notes(model, container, "val")))
        evaluation = artifacts.evaluation_block(self.config, self.clock(), fit, scores)
        self._save(folder, container, fit, predictions, scores, evaluation)
        log.write(f"finished: {evaluation['verdict']['words']}")
        artifacts.write_manifest(folder, self.config, fit.pipeline, container)
        importance = importance_frame(fit.pipeline.model)
        return RunResult(folder.name, folder, fit.metrics, evaluation, predictions, fit.notes, importance)

    def _fit(self, folder: Path, container: TimeSeriesDataContainer, log: artifacts.RunLog) -> Fit:
        started = time.perf_counter()
        with meter(100, self.config.model_name, shape=PER_CENT) as bar, log.listening():
            checkpoints, begun = self._checkpoints(folder, log)
            fit = fit_pipeline(self.config, container, RunSink(checkpoints, bar, self.spool), begun)
        log.write(f"fitted in {time.perf_counter() - started:.2f} s on {fit.row_counts['fit']} rows")
        for note in fit.notes:
            log.write(f"note: {note}")
        return fit

    def _checkpoints(self, folder: Path, log: artifacts.RunLog) -> tuple[CheckpointManager, Path | None]:
        """Where checkpoints go, and the one to continue from."""
        target, keep_newest = folder / "checkpoints", self.model.resumable
        if self.attempt == 1:
            return CheckpointManager(target, keep_newest=keep_newest), None
        manager = resumption.reopened_checkpoints(target, self.model)
        newest = manager.newest
        words = "from the start" if newest is None else f"from the checkpoint after epoch {newest.epoch}"
        log.write(f"attempt {self.attempt}, {words}")
        if newest is not None:
            self._state.continues_from(newest.path.name)
        return manager, newest.path if newest else None

    def _save(
        self,
        folder: Path,
        container: TimeSeriesDataContainer,
        fit: Fit,
        predictions: Predictions,
        scores: Scores,
        evaluation: Mapping[str, Any],
    ) -> None:
        artifacts.write_model(folder, fit, reference_question(fit.pipeline, container))
        artifacts.write_feature_config(folder, self.config, fit.pipeline, container)
        artifacts.write_predictions(folder, "val", predictions, scores)
        artifacts.write_training_metrics(folder, fit)
        artifacts.write_evaluation_metrics(folder, evaluation)
        artifacts.write_importance(folder, fit.pipeline.model)
        explanation = explain_part(fit.pipeline, container, "val")
        if explanation is not None:
            write_explanation(folder, explanation)
        artifacts.write_plots(folder, fit, evaluation)

    def new_run_id(self) -> str:
        """`<model>_h<horizon>_<UTC stamp>_<short id>`."""
        return dated_name(f"{self.config.model_name}_h{self.config.horizon}", self.clock)

    def _enter_ledger(self, folder: Path, container: TimeSeriesDataContainer) -> None:
        """One trial per run: a run that is resumed was counted before."""
        if not self.in_study:
            enter_trial(self._ledger, self.config, self.trial(folder.name, container))

    def _weighed(self, folder: Path, container: TimeSeriesDataContainer, scores: Scores) -> Scores:
        """Judged by all trials on this data; in a study, which alone knows them, as the only one."""
        if self.in_study:
            return scores
        (found,) = weighed([scores], self._ledger, self.trial(folder.name, container), scores.part)
        return found

    @property
    def _ledger(self) -> Ledger:
        return Ledger.in_folder(self.config.experiments_folder, self.clock)

    def trial(self, run_id: str, container: TimeSeriesDataContainer) -> dict[str, Any]:
        """What the ledger keeps of this run."""
        return trial_of(run_id, self.config, artifacts.repeatable_config(self.config, self.model), container)


@dataclass
class RunSink:
    """What a training loop reports to: checkpoints on disk, the events that trackers read, a progress bar in per cent."""

    checkpoints: CheckpointManager
    bar: Meter
    spool: Spool | SilentSpool
    shown: int = 0

    def on_epoch(self, epoch: int, total: int, metrics: Mapping[str, float]) -> None:
        """Move the bar to epoch / total, show the losses, and note them for trackers."""
        self.spool.on_epoch(epoch, metrics)
        percent = 100 * epoch // max(1, total)
        self.bar.update(percent - self.shown)
        self.shown = percent
        losses = "".join(f", {name.replace('_', ' ')} {value:.4f}" for name, value in metrics.items())
        self.bar.set_postfix_str(f"{epoch} of {total}{losses}")

    def on_checkpoint(self, epoch: int, metric: float, save: Callable[[Path], None]) -> None:
        """Keep the checkpoint when it is among the best."""
        self.checkpoints.save_checkpoint(save, epoch, metric)

    def scratch_folder(self) -> Path:
        """Beside the checkpoints; what is left of it is removed with what was half-written."""
        return self.checkpoints.output_dir / f"{atomic.TEMPORARY_PREFIX}scratch"
