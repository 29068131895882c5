"""Settings of one run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import model_validator

from ohlcv_factory.config import PathSetting, Settings, setting
from ohlcv_factory.dataset.samples import Scaling
from ohlcv_factory.errors import UsageError
from ohlcv_factory.evaluation.calibration import Method as Calibration
from ohlcv_factory.evaluation.decisions import Kind as Decision
from ohlcv_factory.features.selection import Method
from ohlcv_factory.features.sets import SetRules
from ohlcv_factory.labels.weights import Weighting
from ohlcv_factory.models.base import DEFAULT_SEED, BaseModel
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.storage.experiments import RUNS_FOLDER, experiments_folder
from ohlcv_factory.training.tracking.settings import ExperimentConfig

MODEL_SETTINGS = ("sequence_length", "batch_size", "max_epochs", "early_stopping_patience")
"""Trainer settings that set a field of the model; a model that has no such field refuses them."""


class TrainerConfig(Settings):
    """What one run trains, on what, and where it goes. None means: the model's own value."""

    model_name: str
    horizon: int = setting(20, "Label horizon in bars; must be one of the dataset's.", ge=1)
    feature_set: str | None = setting(None, "Named feature set; none takes the model's own.")
    feature_sets: dict[str, SetRules] = setting({}, "Feature sets of your own, by name.")
    feature_selection: Method = setting(
        "none", "Columns learnt from the fit rows: none | correlation (|rho| over 0.80) | importance (the better half)."
    )
    scaling: Scaling | None = setting(
        None, "Scaler of the features, fitted on the fit rows: none | standard | robust; none given: the model's own."
    )
    sequence_length: int | None = setting(None, "Bars per window, for models that read windows.", ge=1)
    batch_size: int | None = setting(None, "Samples per step, for models trained in batches.", ge=1)
    max_epochs: int | None = setting(None, "Most epochs or boosting rounds.", ge=1)
    early_stopping_patience: int | None = setting(None, "Epochs or rounds without progress before stopping.", ge=1)
    random_seed: int = setting(DEFAULT_SEED, "Every random draw of the run follows from it.", ge=0)
    experiment_name: str | None = setting(None, "A name to find runs by in `compare --experiment`.")
    experiment: ExperimentConfig | None = setting(None, "Where the run is also shown: mlflow, tensorboard or wandb.")
    output_dir: PathSetting = setting(Path("experiments") / RUNS_FOLDER, "Folder that run folders are made in.")
    model: dict[str, Any] = setting({}, "Hyper-parameters that differ from the model's defaults.")
    weighting: Weighting = setting("both", "Sample weights: both (product) | quality | uniqueness | none.")
    balanced: bool = setting(False, "Weight the classes to equal shares.")
    calibration: Calibration = setting(
        "auto",
        "Calibrator, fitted on rows of its own where there are enough: auto (the kind with the smallest held-out "
        "log-loss) | temperature | sigmoid | isotonic | none.",
    )
    decision: Decision = setting(
        "argmax",
        "When to act: argmax (the most probable class) | threshold (where acting paid its costs) | conformal (where the "
        "prediction set is one direction alone).",
    )
    conformal_coverage: float | None = setting(
        None, "Share of conformal sets that are to hold the truth; none: 0.9.", gt=0, lt=1
    )
    refit: Literal["none", "all"] = setting("none", "all: fit again on all training rows with the same schedule.")
    allow_missing_class: bool = setting(False, "Train although a class does not occur in the training rows.")

    @model_validator(mode="before")
    @classmethod
    def _calibrate(cls, values: Any) -> Any:
        """`calibrate: true | false`, the name of earlier versions."""
        if not isinstance(values, dict) or "calibrate" not in values:
            return values
        wanted = values["calibrate"]
        if not isinstance(wanted, bool) or "calibration" in values:
            raise ValueError(
                f"calibrate is an earlier name of calibration, and is true or false, got calibrate={wanted!r}"
                f"{' beside calibration' if 'calibration' in values else ''}"
            )
        rest = {name: value for name, value in values.items() if name != "calibrate"}
        return rest if wanted else rest | {"calibration": "none"}

    @model_validator(mode="after")
    def _coverage_needs_sets(self) -> Self:
        if self.conformal_coverage is not None and self.decision != "conformal":
            raise ValueError(f"conformal_coverage applies to decision: conformal, got decision: {self.decision}")
        return self

    @property
    def experiments_folder(self) -> Path:
        """Where the ledger lies: above `runs/` or `studies/`, or in the output folder itself where that has another name."""
        return experiments_folder(self.output_dir)

    @property
    def tracking(self) -> ExperimentConfig | None:
        """`experiment`, with the name of the run's experiment where it has none of its own."""
        if self.experiment is None or self.experiment.experiment_name or not self.experiment_name:
            return self.experiment
        return self.experiment.model_copy(update={"experiment_name": self.experiment_name})

    def plain(self) -> dict[str, Any]:
        """As of any settings; without `experiment` where the run is not tracked, so that trials keep their digests."""
        values = super().plain()
        return {name: value for name, value in values.items() if name != "experiment" or value is not None}

    def create_model(self, **hyper_parameters: Any) -> BaseModel:
        """The model with its effective hyper-parameters. Raises UsageError (2) for settings that it cannot obey."""
        model_class = ModelRegistry.model_class(self.model_name)
        effective = {**effective_hyper_parameters(self, model_class), **hyper_parameters}
        return model_class(effective, seed=self.random_seed)


def effective_hyper_parameters(config: TrainerConfig, model_class: type[BaseModel]) -> dict[str, Any]:
    """`model:` and the trainer settings that stand for one of its fields; both at once must agree."""
    aliases = model_class.Config.trainer_aliases
    values = dict(config.model)
    for name in MODEL_SETTINGS:
        wanted = getattr(config, name)
        if wanted is None:
            continue
        if name not in aliases:
            raise UsageError(f"{name} does not apply to model {config.model_name!r}.", where=name, help="leave it out")
        field = aliases[name]
        if values.get(field, wanted) != wanted:
            raise UsageError(
                f"{name}={wanted} and model.{field}={values[field]} contradict each other.",
                where=name,
                help="give one of them",
            )
        values[field] = wanted
    return values
