"""Settings of an ensemble: those of its head, its members, how they are predicted out of fold and what is kept of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import field_validator, model_validator

from ohlcv_factory.config import setting
from ohlcv_factory.errors import UsageError
from ohlcv_factory.models._ensemble.model import EnsembleModel
from ohlcv_factory.models.base import BaseModel
from ohlcv_factory.studies.settings import CrossValidationConfig
from ohlcv_factory.training.settings import TrainerConfig

Final = Literal["refit", "average_folds"]
OF_THE_ENSEMBLE = ("horizon", "output_dir", "experiment_name")
"""Settings that all members share with the ensemble."""
USUALLY_SHARED = ("random_seed", "feature_sets", "allow_missing_class")
"""Settings of the ensemble that a member has too, unless it gives its own."""
FEWEST_MEMBERS = 2


class EnsembleConfig(TrainerConfig):
    """What one ensemble is made of; `model_name`, `model`, weighting, calibration and decision are those of its head."""

    members: dict[str, dict[str, Any]] = setting(
        {},
        "Members by name, each with the training settings that differ; the name is the model's unless model_name is given.",
    )
    cv: CrossValidationConfig = CrossValidationConfig()
    final: Final = setting(
        "refit",
        "Who predicts new rows: refit (each member fitted on the train part) | average_folds (its fold models).",
    )
    choose: Literal["all", "greedy"] = setting(
        "all",
        "Members that the head reads: all | greedy (added one by one while out-of-fold log-loss of their mean falls).",
    )

    @field_validator("members", mode="before")
    @classmethod
    def _named_members(cls, given: Any) -> Any:
        """A list of names or of TrainerConfigs, as a table by name; a name without settings has none that differ."""
        if isinstance(given, tuple | list):
            return by_name(given)
        if isinstance(given, dict):
            return {name: {} if values is None else values for name, values in given.items()}
        return given

    @model_validator(mode="after")
    def _refuse_what_cannot_act(self) -> Self:
        idle = (("feature_set", None), ("feature_selection", "none"), ("scaling", None), ("refit", "none"))
        for name, usual in idle:
            if getattr(self, name) != usual:
                raise ValueError(f"{name}: an ensemble reads predictions, not features; give it to a member")
        if self.cv.scheme != "kfold":
            raise ValueError(f"cv.scheme: only kfold predicts every train row once, got {self.cv.scheme}")
        if self.cv.keep_models:
            raise ValueError("cv.keep_models: `final: average_folds` keeps the models of the folds")
        if self.cv.importance:
            raise ValueError("cv.importance: ask for it in a cross-validation of each member")
        if self.cv.final:
            raise ValueError("cv.final: `final: refit` fits each member on the whole train part")
        for name in self.members:
            self._refuse_member(name)
        return self

    def _refuse_member(self, name: str) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise ValueError(f"members: a name is letters, digits, - and _, got {name!r}")
        shared = [key for key in (*OF_THE_ENSEMBLE, "experiment") if key in self.members[name]]
        if shared:
            raise ValueError(f"members.{name}.{shared[0]}: members share that of the ensemble")
        try:
            self.member(name)
        except UsageError as error:
            raise ValueError(f"members.{name}: {error.what}") from None

    def member(self, name: str) -> TrainerConfig:
        """The whole training settings of one member; the ensemble's are those of USUALLY_SHARED that it does not name."""
        shared = {key: getattr(self, key) for key in (*OF_THE_ENSEMBLE, *USUALLY_SHARED)}
        plain = {**shared, "output_dir": str(self.output_dir), "feature_sets": self.plain()["feature_sets"]}
        return TrainerConfig.parse({"model_name": name, **plain, **self.members[name]})

    def member_configs(self) -> dict[str, TrainerConfig]:
        """All members. Raises UsageError (2) for fewer than two, or where one is an ensemble itself."""
        if len(self.members) < FEWEST_MEMBERS:
            raise UsageError(
                f"an ensemble needs at least {FEWEST_MEMBERS} members, got {list(self.members)}.",
                where="members",
                help="--members lightgbm,lstm,logistic, or `members:` in the recipe",
            )
        configs = {name: self.member(name) for name in self.members}
        for name, config in configs.items():
            if config.create_model().input_spec.is_ensemble:
                raise UsageError(f"member {name!r} is an ensemble itself.", where="members", help="name its members")
        return configs

    def head(self) -> EnsembleModel:
        """The unfitted model on the members' predictions.

        Raises UsageError (2) for a model that is no ensemble, or whose settings do not fit the members.
        """
        head = ensemble_model(self.create_model())
        head.refuse_members(tuple(self.members), choosing=self.choose != "all")
        return head

    def scheme(self, head: EnsembleModel) -> CrossValidationConfig:
        """How members predict rows that they never saw: purged folds, or one holdout of the latest times.

        Raises UsageError (2) for a number of folds where there is a holdout.
        """
        shared: dict[str, Any] = {
            "embargo_days": self.cv.embargo_days,
            "purge_windows": self.cv.purge_windows,
            "keep_models": self.final == "average_folds",
        }
        if head.holdout_share is None:
            return CrossValidationConfig(folds=self.cv.folds, **shared)
        if self.cv.folds is not None:
            raise UsageError(
                f"{self.model_name} has one holdout and no folds, got folds={self.cv.folds}.",
                where="cv.folds",
                help="set model.holdout, or take stacking",
            )
        return CrossValidationConfig(scheme="walk_forward", folds=1, train_share=1 - head.holdout_share, **shared)


def ensemble_model(model: BaseModel) -> EnsembleModel:
    """The model, where it is an ensemble. Raises UsageError (2) else."""
    if not isinstance(model, EnsembleModel):
        raise UsageError(
            f"model {model.name!r} reads features, not predictions.",
            where="model_name",
            help="voting, stacking or blending; ohlcv-factory train fits other models",
        )
    return model


def by_name(given: tuple[Any, ...] | list[Any]) -> dict[str, dict[str, Any]]:
    """Members by their models' names; the second of a name is `lstm_2`."""
    members: dict[str, dict[str, Any]] = {}
    for each in given:
        values = {"model_name": each} if isinstance(each, str) else _differences(each)
        model = values["model_name"]
        taken = sum(other == model or other.startswith(f"{model}_") for other in members)
        members[f"{model}_{taken + 1}" if model in members else model] = values
    return members


def _differences(config: TrainerConfig | Mapping[str, Any]) -> dict[str, Any]:
    """What a config sets itself, without what all members share."""
    if not isinstance(config, TrainerConfig):
        return dict(config)
    values = config.model_dump(mode="json", exclude_unset=True)
    return {name: value for name, value in values.items() if name not in OF_THE_ENSEMBLE}
