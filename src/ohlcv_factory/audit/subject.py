"""What an audit is about: a dataset, features, a model, a run or a study, with all that its checks need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ohlcv_factory.audit.audited_bars import AUDITED_BARS, AuditedBars
from ohlcv_factory.audit.power import reading_all, small_network
from ohlcv_factory.bars.instruments import Instrument
from ohlcv_factory.bars.load import ReadOptions
from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.build import Dataset
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.dataset.store import read_dataset
from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.features import catalogue
from ohlcv_factory.features.feature import Feature
from ohlcv_factory.features.plugins import PluginRecord, require
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.splits.chronological import PartShares
from ohlcv_factory.storage.experiments import experiments_folder
from ohlcv_factory.storage.formats import read_json, read_settings
from ohlcv_factory.storage.parquet import read_table
from ohlcv_factory.studies.cross_validation import FOLDS
from ohlcv_factory.studies.fold_job import FOLDS_FOLDER, PREDICTIONS
from ohlcv_factory.studies.folds import TrainFolds
from ohlcv_factory.studies.settings import CrossValidationConfig
from ohlcv_factory.studies.study_folder import CROSS_VALIDATION, RECIPE, open_study
from ohlcv_factory.training.bundle import MANIFEST, ModelBundle
from ohlcv_factory.training.ensemble import FittedEnsemble
from ohlcv_factory.training.evaluation import SCORED_PARTS
from ohlcv_factory.training.fitting import Fit, fit_pipeline, input_columns
from ohlcv_factory.training.recorded_data import recorded_container
from ohlcv_factory.training.run_manifest import read_run_manifest
from ohlcv_factory.training.settings import TrainerConfig

Kind = Literal["dataset", "features", "model", "run", "study"]
KINDS: tuple[Kind, ...] = ("dataset", "features", "model", "run", "study")

MODEL_BARS = 12_000
MODEL_HORIZON = 10
MODEL_BETA = 0.4
"""Bars, horizon and planted signal of the market that a model is audited on."""
VAL = SCORED_PARTS[0]


@dataclass(frozen=True)
class Subject:
    """What is under audit. What a kind has not is None, and no check of that kind asks for it."""

    kind: Kind
    name: str
    bars: tuple[AuditedBars, ...]
    """The newest bars of each symbol with the columns under audit."""
    containers: tuple[TimeSeriesDataContainer, ...] = ()
    """Of a dataset one for each horizon, else the one of the run; of a study as one of its folds sees it."""
    config: TrainerConfig | None = None
    """What is fitted, and with what settings; None for an ensemble, which is fitted on predictions of its members."""
    stored: Predictions | None = None
    """Of the val part, as the run (or the fold) keeps them."""
    bundle_folder: Path | None = None
    """The run, or a fold that keeps its model."""
    experiments: Path | None = None
    """Where the ledger lies."""
    study: StudyFolds | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    """The manifest."""

    @property
    def container(self) -> TimeSeriesDataContainer:
        """The first one."""
        return self.containers[0]

    @cached_property
    def fit(self) -> Fit:
        """The config fitted here and now on the container: shared by all checks that compare with it."""
        assert self.config is not None
        return fit_pipeline(self.config, self.container)

    @cached_property
    def bundle(self) -> ModelBundle | None:
        """What predicts raw bars: that of the folder, or of the fit at hand for a model; None for a fold without one."""
        if self.bundle_folder is not None:
            return ModelBundle.from_run(self.bundle_folder)
        return bundle_of(self.fit, self.container) if self.kind == "model" else None

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns under audit."""
        return tuple(dict.fromkeys(feature.name for each in self.bars for feature in each.wanted))


@dataclass(frozen=True)
class StudyFolds:
    """The folds of a study as it wrote them down, and as its recipe makes them."""

    whole: TimeSeriesDataContainer
    records: list[dict[str, Any]]
    folds: TrainFolds
    number: int
    """The fold (from 1) that is fitted again."""

    def rows(self, record: dict[str, Any], key: Literal["learnt_from", "tested"]) -> np.ndarray:
        """Train rows of the container in the stretches of time that a fold's record names."""
        time = self.whole.index["time_ns"][self.folds.rows] // 10**9
        inside = np.zeros(len(time), dtype=bool)
        for first, last in record[key]:
            inside |= (time >= _seconds(first)) & (time <= _seconds(last))
        found: np.ndarray = self.folds.rows[inside]
        return found


def dataset_subject(folder: Path, *, last: int = AUDITED_BARS, experiments: Path | None = None) -> Subject:
    """A dataset folder. Raises InputMissingError (66), DataError (65), and UsageError (2) for a plugin that was not named."""
    dataset = read_dataset(folder)
    require(dataset.plugins)
    containers = tuple(TimeSeriesDataContainer.from_built(dataset, horizon) for horizon in dataset.config.horizons)
    config = reading_all(TrainerConfig(model_name="logistic", horizon=containers[0].horizon), containers[0])
    ledger = experiments or Path("experiments")
    bars = _of_dataset(dataset, dataset.feature_names, last)
    return Subject("dataset", str(folder), bars, containers, config, experiments=ledger)


def features_subject(
    series: Sequence[tuple[Bars, Instrument]], features: Sequence[Feature], *, last: int = AUDITED_BARS
) -> Subject:
    """Features on bars of one or more symbols. Raises DataError (65) where no feature can be audited on so few bars."""
    bars = tuple(AuditedBars.newest(*each, features, last) for each in series)
    for each in bars:
        if not each.audited:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in list(each.left_out.items())[:3])
            symbol = each.bars.symbol
            raise DataError(
                f"{symbol}: no feature can be audited on {len(each.bars)} bars.", where=symbol, help=reasons
            )
    return Subject("features", ", ".join(each.bars.symbol for each in bars), bars)


def model_subject(name: str, hyper_parameters: dict[str, Any] | None = None) -> Subject:
    """A registered model, on a synthetic market with a signal; a network in a small size, unless the settings say otherwise.

    Raises UnknownNameError (2), MissingExtraError (69), UsageError (2) for an ensemble, which has no rows of its own.
    """
    spec = ModelRegistry.model_class(name).input_spec
    if spec.is_ensemble:
        raise UsageError(f"{name!r} learns from predictions of other models.", where=name, help="audit run RUN instead")
    settings = {**small_network(name), **(hyper_parameters or {})}
    config = TrainerConfig(model_name=name, horizon=MODEL_HORIZON, model=settings)
    dataset = DatasetConfig(
        horizons=(MODEL_HORIZON,), embargo_days=0.0, parts=PartShares(train=0.7, val=0.3), timeframes=()
    )
    walk = random_walk(MODEL_BARS, 0, beta=MODEL_BETA)
    container = TimeSeriesDataContainer.from_bars(walk, horizon=MODEL_HORIZON, config=dataset)
    columns = input_columns(config, config.create_model(), container)
    return Subject("model", name, _of_container(container, columns, AUDITED_BARS), (container,), config)


def run_subject(folder: Path, *, dataset: Path | None = None, last: int = AUDITED_BARS) -> Subject:
    """A finished run, digests first, with the dataset that it was trained on.

    Raises InputMissingError (66), VerificationError (76), DataError (65) for another dataset, UsageError (2).
    """
    manifest = read_run_manifest(folder)
    if manifest.get("kind") == CROSS_VALIDATION:
        raise UsageError(f"{folder} is a study.", where=str(folder), help=f"ohlcv-factory audit study {folder}")
    bundle = ModelBundle.from_run(folder)
    recipe = read_settings(folder / "config" / "training_config.yaml")
    container = recorded_container(folder, manifest, recipe, dataset)
    return Subject(
        "run",
        str(folder),
        _of_container(container, bundle.pipeline.columns, last),
        (container,),
        None if isinstance(bundle.pipeline, FittedEnsemble) else trainer_config(recipe),
        stored_predictions(folder / "predictions" / f"{VAL}_predictions.parquet", container),
        folder,
        _experiments(folder),
        facts=manifest,
    )


def study_subject(folder: Path, *, dataset: Path | None = None, last: int = AUDITED_BARS) -> Subject:
    """A finished cross-validation, with the last fold in time to be fitted again: it learns from earlier rows alone.

    Raises what `run_subject` raises.
    """
    manifest = open_study(folder, CROSS_VALIDATION)
    recipe = read_settings(folder / RECIPE)
    config = trainer_config({**recipe, "allow_missing_class": True})
    whole = recorded_container(folder, manifest, recipe, dataset)
    cv = CrossValidationConfig.parse(recipe["cv"], where=str(RECIPE))
    folds = TrainFolds.of(whole, cv, config.create_model().lookback)
    study = StudyFolds(whole, read_json(folder / FOLDS)["folds"], folds, len(folds.folds))
    fold = folds.folds[-1]
    kept = folder / FOLDS_FOLDER / f"fold_{fold.number:02d}"
    container = folds.part(fold)
    columns = input_columns(config, config.create_model(), whole)
    return Subject(
        "study",
        str(folder),
        _of_container(whole, columns, last),
        (container,),
        config,
        stored_predictions(kept / PREDICTIONS, container),
        kept if cv.keep_models else None,
        _experiments(folder),
        study,
        {**manifest, **read_json(kept / MANIFEST)},
    )


def trainer_config(recipe: dict[str, Any]) -> TrainerConfig:
    """The settings of a fit among those of a recipe."""
    own = {name: recipe[name] for name in TrainerConfig.model_fields if name in recipe}
    return TrainerConfig.parse(own, where="recipe")


def bundle_of(fit: Fit, container: TimeSeriesDataContainer) -> ModelBundle:
    """A fit as something that predicts raw bars, without a folder."""
    data = container.data_spec
    assert fit.training_range is not None
    return ModelBundle(
        pipeline=fit.pipeline,
        horizon=container.horizon,
        bar_seconds=data["bar_seconds"],
        first_eligible=data["warm_up_bars"] + data["history_bars"],
        instruments=tuple(market.instrument for market in container.markets),
        read_options=ReadOptions(),
        training_range=fit.training_range,
        rolls=container.config.rolls,
        labels=DatasetConfig.parse(data["labels"], where="labels"),
    )


def stored_predictions(path: Path, container: TimeSeriesDataContainer) -> Predictions | None:
    """Predictions that lie on disk under the symbol codes of a container; None where there are none."""
    if not path.is_file():
        return None
    return Predictions.from_frame(read_table(path), container.horizon)


def _of_dataset(dataset: Dataset, columns: Sequence[str], last: int) -> tuple[AuditedBars, ...]:
    wanted = [catalogue.find(name) for name in columns]
    return tuple(AuditedBars.newest(one.bars, one.instrument, wanted, last) for one in dataset.symbols)


def _of_container(container: TimeSeriesDataContainer, columns: Sequence[str], last: int) -> tuple[AuditedBars, ...]:
    require(PluginRecord.from_plain(record) for record in container.data_spec["plugins"])
    wanted = [catalogue.find(name) for name in columns]
    return tuple(AuditedBars.newest(market.bars, market.instrument, wanted, last) for market in container.markets)


def _experiments(folder: Path) -> Path:
    """The experiments folder of a run or a study."""
    return experiments_folder(folder.resolve().parent)


def _seconds(text: str) -> int:
    """The whole second of a time in a record."""
    return int(np.datetime64(text.removesuffix("Z"), "s").astype(np.int64))
