"""Settings of a search: the score, the trials, and the ranges where they differ from those of the model's fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, model_validator

from ohlcv_factory.config import Search, Settings, setting
from ohlcv_factory.errors import unknown_name
from ohlcv_factory.studies.fold_scores import DESCRIPTIVE, LABEL_SCORES, MONEY_SCORES, SKILL
from ohlcv_factory.studies.settings import CrossValidationConfig

SPECIFICATION = "the specification"
SPREAD_PENALTY = 0.5
TRIALS: Mapping[str, int] = {"boosting": 50, "classical": 30, "foundation": 10}
OTHER_TRIALS = 20
"""Of the networks, whose fits take longest."""
FOLDS: Mapping[str, int] = {"boosting": 5, "classical": 5}
OTHER_FOLDS = 3
BARRIER_MODEL, BARRIER_TRIALS, BARRIER_FOLDS = "logistic", 40, 5

Pruner = Literal["median", "none"]


class Range(Settings):
    """Where a value may be drawn from: low to high, or some choices."""

    low: int | float | None = setting(None, "Smallest value.")
    high: int | float | None = setting(None, "Largest value.")
    log: bool = setting(False, "Draw evenly in the logarithm.")
    choices: tuple[Any, ...] | None = setting(None, "The values themselves, in place of low and high.")

    @model_validator(mode="before")
    @classmethod
    def _list_of_choices(cls, given: Any) -> Any:
        """`[a, b]` stands for `{choices: [a, b]}`."""
        return {"choices": tuple(given)} if isinstance(given, list | tuple) else given

    @model_validator(mode="after")
    def _refuse_half_a_range(self) -> Self:
        if self.choices is not None:
            return self._checked_choices()
        if self.low is None or self.high is None or not self.low < self.high:
            raise ValueError(f"a range needs low < high, or choices; got low={self.low}, high={self.high}")
        if self.log and not self.low > 0:
            raise ValueError(f"a logarithmic range begins above 0, got low={self.low}")
        return self

    def _checked_choices(self) -> Self:
        if self.low is not None or self.high is not None or self.log:
            raise ValueError("choices stand in the place of low, high and log")
        if len(self.choices or ()) < 2:
            raise ValueError(f"at least two choices make a range, got {list(self.choices or ())}")
        return self

    @classmethod
    def of(cls, search: Search) -> Self:
        """The range that a field of a model declares."""
        return cls(low=search.low, high=search.high, log=search.log, choices=search.choices)


def _checked_score(name: str) -> str:
    if name in DESCRIPTIVE:
        raise ValueError(f"{name!r} says how much, not how well; choose one of {_listed(LABEL_SCORES, MONEY_SCORES)}")
    return _known_score(name, {**LABEL_SCORES, **MONEY_SCORES})


def _checked_money_score(name: str) -> str:
    if name in LABEL_SCORES:
        raise ValueError(
            f"{name!r} is measured on labels, and other barriers are other labels; choose one of {_listed(MONEY_SCORES)}"
        )
    return _known_score(name, MONEY_SCORES)


def _known_score(name: str, offered: Mapping[str, str]) -> str:
    if name not in offered:
        error = unknown_name("score", name, offered)
        raise ValueError(f"{error.what} {error.help}")
    return name


def _listed(*offered: Mapping[str, str]) -> str:
    return ", ".join(name for names in offered for name in names)


def _list_of_words(given: Any) -> Any:
    return (given,) if isinstance(given, str) else given


class SearchConfig(Settings):
    """What every search shares."""

    spread_penalty: float = setting(
        SPREAD_PENALTY, "lambda: how many standard deviations over the folds a better mean must make up for.", ge=0
    )
    trials: int | None = setting(None, "Trials in all; none: by the family of the model.", ge=1)
    pruner: Pruner = setting(
        "median", "median (end a trial whose folds so far are worse than the median trial's) | none."
    )
    storage: str | None = setting(
        None,
        "URL of the database that keeps the trials; none: SQLite in the study folder. Its password is written nowhere.",
    )


class TuningConfig(SearchConfig):
    """How the settings of a model are searched."""

    score: Annotated[str, AfterValidator(_checked_score)] = setting(SKILL, "Score of a fold that is looked for.")
    space: dict[str, Range] = setting(
        {}, "Ranges by field, where they differ from the model's own; also of feature_set and scaling."
    )
    only: Annotated[tuple[str, ...], BeforeValidator(_list_of_words)] = setting(
        (), "Fields that are drawn; none: every field that has a range and no value of its own in the recipe."
    )


class BarrierTuningConfig(SearchConfig):
    """How the barriers of labels are searched."""

    score: Annotated[str, AfterValidator(_checked_money_score)] = setting(
        "total_return", "Score of a fold after costs: total_return is its net profit and loss."
    )
    class_penalty: float = setting(
        1.0, "What a class without any row costs, in units of the score; shares from 10 % on cost nothing.", ge=0
    )
    asymmetry_penalty: float = setting(
        0.02, "What each ATR of |k_up - k_down| costs, in units of the score; nothing for equity indices.", ge=0
    )
    k_up: Range = setting(Range(low=0.5, high=4.0), "Range of the upper barrier, in ATR(14).", source=SPECIFICATION)
    k_down: Range = setting(Range(low=0.5, high=4.0), "Range of the lower barrier, in ATR(14).", source=SPECIFICATION)
    max_bars: Range | None = setting(
        None, "Range of the vertical barrier in bars; none: from the horizon to five times of it.", source=SPECIFICATION
    )
    horizons: tuple[int, ...] = setting((), "Horizons; none takes all of the dataset.")
    symbols: Annotated[tuple[str, ...], BeforeValidator(_list_of_words)] = setting(
        (), "Symbols; none takes all of the dataset."
    )


def trials_of(config: SearchConfig, family: str) -> int:
    """How many trials a search of a model of this family has."""
    return config.trials or TRIALS.get(family, OTHER_TRIALS)


def folds_of(cv: CrossValidationConfig, family: str) -> CrossValidationConfig:
    """The folds of a search: those asked for, or as many as the family has by default."""
    if cv.folds is not None or cv.scheme == "combinatorial":
        return cv
    return cv.model_copy(update={"folds": FOLDS.get(family, OTHER_FOLDS)})
