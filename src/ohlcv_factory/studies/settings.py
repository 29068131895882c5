"""Settings of studies."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, model_validator

from ohlcv_factory.config import Settings, setting
from ohlcv_factory.dataset.settings import checked_embargo
from ohlcv_factory.errors import UsageError
from ohlcv_factory.splits.chronological import Embargo
from ohlcv_factory.splits.combinatorial import CombinatorialPurgedCV
from ohlcv_factory.splits.purged_kfold import PurgedKFold
from ohlcv_factory.splits.splitter import Splitter
from ohlcv_factory.splits.walk_forward import TRAIN_SHARE, Past, WalkForward

Scheme = Literal["kfold", "walk_forward", "combinatorial"]
DEFAULT_FOLDS = 5
"""Of every family: the specification names no other number."""
DEFAULT_GROUPS, DEFAULT_TEST_GROUPS = 6, 2
OWN_KEYS = {"test_groups": "combinatorial", "train_share": "walk_forward", "past": "walk_forward"}
"""Keys that one scheme alone knows."""


class CrossValidationConfig(Settings):
    """How the train part is divided into folds, and what is kept of them."""

    scheme: Scheme = setting(
        "kfold", "kfold (every row once) | walk_forward (from earlier rows only) | combinatorial (many paths)."
    )
    folds: int | None = setting(None, "Blocks that are tested; none: 5, for combinatorial 6 blocks (groups).", ge=1)
    test_groups: int | None = setting(None, "Blocks that each fold of combinatorial tests; none: 2.", ge=1)
    train_share: float | None = setting(
        None, "Share of the times before the first tested block of walk_forward; none: 0.5.", gt=0, lt=1
    )
    past: Past | None = setting(
        None, "What a fold of walk_forward learns from: expanding (all of the past) | rolling; none: expanding."
    )
    embargo_days: Annotated[Embargo, AfterValidator(checked_embargo)] | None = setting(
        None, "Calendar days beside a tested block; auto: at most 10 % of its time span; none: as the dataset has it."
    )
    purge_windows: bool = setting(
        False, "Keep the windows of training rows off the tested blocks too, not labels alone."
    )
    keep_models: bool = setting(False, "Keep the fitted model of every fold; each can predict raw bars.")
    importance: bool = setting(
        False, "What each column, category and stretch of bars is worth out of fold, by exchanging it among the rows."
    )
    final: bool = setting(
        False, "Also fit on the whole train part, calibrate on all out-of-fold rows, score val: a bundle that predicts."
    )

    @model_validator(mode="after")
    def _refuse_idle_keys(self) -> Self:
        """A key that could change nothing is refused by name; so is what the splitter refuses."""
        for name, scheme in OWN_KEYS.items():
            if getattr(self, name) is not None and self.scheme != scheme:
                raise ValueError(f"{name}: only {scheme} has it, scheme is {self.scheme}")
        if self.final and self.scheme == "combinatorial":
            raise ValueError("final: combinatorial predicts a row several times, so none is the one to calibrate on")
        try:
            self.splitter(0.0)
        except UsageError as error:
            raise ValueError(error.what) from None
        return self

    @classmethod
    def of(cls, splitter: Splitter, **more: Any) -> Self:
        """The settings that make a splitter. Raises UsageError (2) for one that is not the factory's."""
        common: dict[str, Any] = {
            "embargo_days": splitter.embargo_days,
            "purge_windows": splitter.purge_windows,
            **more,
        }
        if type(splitter) is PurgedKFold:
            return cls(scheme="kfold", folds=splitter.n_splits, **common)
        if type(splitter) is WalkForward:
            common |= {"train_share": splitter.train_share, "past": splitter.past}
            return cls(scheme="walk_forward", folds=splitter.n_splits, **common)
        if type(splitter) is CombinatorialPurgedCV:
            common |= {"test_groups": splitter.n_test_groups}
            return cls(scheme="combinatorial", folds=splitter.n_groups, **common)
        raise UsageError(
            f"{type(splitter).__name__} cannot be written down in a recipe.",
            where="splitter",
            help="PurgedKFold, WalkForward, CombinatorialPurgedCV, or a CrossValidationConfig",
        )

    def splitter(self, dataset_embargo: Embargo) -> Splitter:
        """The splitter of these settings; `dataset_embargo` counts where they name none."""
        embargo = dataset_embargo if self.embargo_days is None else self.embargo_days
        common: dict[str, Any] = {"embargo_days": embargo, "purge_windows": self.purge_windows}
        if self.scheme == "walk_forward":
            share, past = self.train_share or TRAIN_SHARE, self.past or "expanding"
            return WalkForward(self.folds or DEFAULT_FOLDS, share, past, **common)
        if self.scheme == "combinatorial":
            return CombinatorialPurgedCV(
                self.folds or DEFAULT_GROUPS, self.test_groups or DEFAULT_TEST_GROUPS, **common
            )
        return PurgedKFold(self.folds or DEFAULT_FOLDS, **common)
