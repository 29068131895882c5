"""Members of an ensemble: predicted out of fold by the jobs of a cross-validation, then ready for rows to come.

Under `members/<name>/` of the ensemble's run lie the member's folds (`folds/fold_NN/`, as in a cross-validation) and, where
it is fitted again, `final/`: a bundle. Whatever is there whole is not done again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ohlcv_factory import __version__
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.errors import DataError, FactoryError
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.runtime.threads import thread_count
from ohlcv_factory.storage import atomic
from ohlcv_factory.storage.digests import value_digest
from ohlcv_factory.storage.formats import read_json, write_json
from ohlcv_factory.studies.fold_job import TIME, FoldResult, FoldSpec, fold_folder, fold_spec, is_finished
from ohlcv_factory.studies.folds import TrainFolds
from ohlcv_factory.studies.out_of_fold import OutOfFold, out_of_fold
from ohlcv_factory.studies.settings import CrossValidationConfig
from ohlcv_factory.training import artifacts
from ohlcv_factory.training.bundle import MANIFEST
from ohlcv_factory.training.ensemble import MemberAnswers
from ohlcv_factory.training.fitting import fit_pipeline
from ohlcv_factory.training.reference import reference_question
from ohlcv_factory.training.settings import TrainerConfig
from ohlcv_factory.training.trial import open_run

MEMBERS_FOLDER, FINAL_FOLDER = "members", "final"
JOB = "job.json"


@dataclass(frozen=True)
class Member:
    """One member of an ensemble on one container."""

    name: str
    config: TrainerConfig
    """Complete: every hyper-parameter spelled out."""
    folds: TrainFolds
    cv: CrossValidationConfig
    run: Path
    """The run folder of the ensemble."""

    @classmethod
    def of(
        cls, name: str, config: TrainerConfig, container: TimeSeriesDataContainer, cv: CrossValidationConfig, run: Path
    ) -> Member:
        """The member with its folds. Raises DataError (65) for folds that are too small, UsageError (2) for a bad config."""
        model = config.create_model()
        complete = TrainerConfig.parse(artifacts.repeatable_config(config, model), where=f"members.{name}")
        return cls(name, complete, TrainFolds.of(container, cv, model.lookback), cv, run)

    @property
    def folder(self) -> Path:
        """Where everything of the member lies."""
        return self.run / MEMBERS_FOLDER / self.name

    def fold_specs(self) -> list[FoldSpec]:
        """The jobs of its folds. A class that a fold lacks is warned of, not refused."""
        lenient = TrainerConfig.parse({**self.config.plain(), "allow_missing_class": True})
        threads = thread_count()
        return [
            fold_spec(lenient, self.cv, self.folds, fold.number, self.folder, threads=threads)
            for fold in self.folds.folds
        ]

    def out_of_fold(self) -> OutOfFold:
        """The predictions of its finished folds. Raises DataError (65) where one is missing or predicted other rows."""
        specs = self.fold_specs()
        missing = [spec["config"]["fold"] for spec in specs if not is_finished(spec)]
        if missing:
            raise DataError(f"folds {missing} of member {self.name!r} left no whole result.", help="resume the run")
        results = [
            FoldResult.read(fold_folder(spec), fold.number, self.folds.container, self.folds.tested(fold))
            for spec, fold in zip(specs, self.folds.folds, strict=True)
        ]
        return out_of_fold(self.folds, results, self.folds.splitter.paths.tolist()[0])

    def bundles(self) -> list[str]:
        """Folders of the bundles that predict rows to come, as places in the run folder."""
        folders = [fold_folder(spec) for spec in self.fold_specs()] if self.cv.keep_models else [self.final]
        return [folder.resolve().relative_to(self.run.resolve()).as_posix() for folder in folders]

    @property
    def final(self) -> Path:
        """The bundle of the fit on the whole train part."""
        return self.folder / FINAL_FOLDER

    @property
    def final_is_there(self) -> bool:
        """Whether that bundle is whole and by the same settings, data and version."""
        if not (self.final / MANIFEST).is_file():
            return False
        try:
            open_run(self.final)
            return bool(read_json(self.final / JOB) == self._final_job())
        except (FactoryError, KeyError, TypeError):
            return False

    @property
    def fit_seconds(self) -> float:
        """What its fits took, in whatever process they were done: those of its folds, and the final one where there is one."""
        folds = sum(read_json(fold_folder(spec) / TIME)["fit_seconds"] for spec in self.fold_specs())
        if self.cv.keep_models:
            return float(folds)
        return float(folds + read_json(self.final / artifacts.TRAINING_METRICS)["training_time_seconds"])

    def fit_final(self) -> None:
        """Fit on the train part of the container, and leave a bundle."""
        container = self.folds.container
        with atomic.whole_folder(self.final) as folder:
            fit = fit_pipeline(self.config, container)
            artifacts.write_model(folder, fit, reference_question(fit.pipeline, container))
            artifacts.write_model_config(folder, fit.pipeline.model)
            artifacts.write_feature_config(folder, self.config, fit.pipeline, container)
            artifacts.write_training_metrics(folder, fit)
            write_json(folder / JOB, self._final_job())
            artifacts.write_manifest(folder, self.config, fit.pipeline, container, kind="member")

    def _final_job(self) -> dict[str, str]:
        left_out = ("output_dir", "experiment_name")  # they decide nothing
        settings = {name: value for name, value in self.config.plain().items() if name not in left_out}
        container = self.folds.container
        facts = {"trainer": settings, "data": container.fingerprint, "rows": container.row_digest()}
        return {"digest": value_digest({**facts, "version": __version__})}


def joined(
    found: Mapping[str, OutOfFold], container: TimeSeriesDataContainer, rows: np.ndarray
) -> dict[str, MemberAnswers]:
    """Out-of-fold answers of all members on the same rows of a container, joined on (symbol, time).

    Raises DataError (65) where a member does not predict each of the rows exactly once.
    """
    return {name: _answers_of(name, each.predictions, container, rows) for name, each in found.items()}


def _answers_of(
    name: str, predictions: Predictions, container: TimeSeriesDataContainer, rows: np.ndarray
) -> MemberAnswers:
    places = {key: place for place, key in enumerate(_keys(predictions.symbols, predictions.index))}
    wanted = _keys(container.symbols, container.index[rows])
    missing = [key for key in wanted if key not in places]
    if missing or len(places) < len(predictions):
        what = f"lacks {len(missing)} of {len(wanted)} rows" if missing else "holds a row twice"
        raise DataError(
            f"member {name!r}: its out-of-fold prediction {what}.",
            where=f"{missing[0][0]}, {missing[0][1]} ns" if missing else name,
            help="predict all members on the same folds of the same dataset",
        )
    order = np.array([places[key] for key in wanted])
    return MemberAnswers(predictions.raw[order], predictions.probabilities[order])


def _keys(symbols: Sequence[str], index: np.ndarray) -> list[tuple[str, int]]:
    names = np.array(symbols)[index["symbol_code"]].tolist()
    return list(zip(names, index["time_ns"].tolist(), strict=True))
