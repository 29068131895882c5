"""An ensemble as a pipeline: every member from its own features to probabilities, then the head on their table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.evaluation.calibrators import Calibrator
from ohlcv_factory.evaluation.decisions import DecisionRule
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.models.base import BaseModel
from ohlcv_factory.models.explanation import Explanation
from ohlcv_factory.training.pipeline import Answers, ContainerRows, FittedPipeline, RowSource, predictions_of


@dataclass(frozen=True)
class MemberAnswers:
    """Raw and calibrated probabilities of one member, `(n, 3)` each."""

    raw: np.ndarray
    calibrated: np.ndarray

    @classmethod
    def mean(cls, answers: Iterable[Answers]) -> MemberAnswers:
        """Those of several models of one member, averaged row by row."""
        raw, calibrated, _ = zip(*answers, strict=True)
        return cls(np.mean(raw, axis=0), np.mean(calibrated, axis=0))


def member_answers(members: Mapping[str, tuple[FittedPipeline, ...]], source: RowSource) -> dict[str, MemberAnswers]:
    """What each member says about some rows, the mean over its models."""
    return {
        name: MemberAnswers.mean(pipeline.answers(source) for pipeline in models) for name, models in members.items()
    }


def prediction_table(
    members: Mapping[str, MemberAnswers], context: np.ndarray | None, *, calibrated: bool
) -> np.ndarray:
    """The table that an ensemble reads, float32: three columns per member, then the context columns."""
    chosen = [each.calibrated if calibrated else each.raw for each in members.values()]
    return np.hstack([*chosen, *([] if context is None else [context])]).astype(np.float32)


@dataclass(frozen=True)
class FittedEnsemble:
    """A fitted head over fitted members."""

    head: FittedPipeline
    """Model, calibrator and rule on the table; its columns are those of the table."""
    members: Mapping[str, tuple[FittedPipeline, ...]]
    """The models of each member: one, or those of its folds, whose probabilities are averaged."""
    context: tuple[str, ...] = ()
    """Feature columns, unscaled, beside the members' probabilities."""

    @property
    def model(self) -> BaseModel:
        """The head's."""
        return self.head.model

    @property
    def calibrator(self) -> Calibrator:
        """The head's."""
        return self.head.calibrator

    @property
    def rule(self) -> DecisionRule:
        """The head's."""
        return self.head.rule

    @property
    def pipelines(self) -> tuple[FittedPipeline, ...]:
        """All models of all members."""
        return tuple(pipeline for models in self.members.values() for pipeline in models)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every feature column that some member or the head reads, each once."""
        return tuple(dict.fromkeys((*(name for each in self.pipelines for name in each.columns), *self.context)))

    @property
    def lookback(self) -> int | None:
        """Bars of the longest window of a member, None where all read single bars."""
        return max((each.lookback for each in self.pipelines if each.lookback is not None), default=None)

    def for_single_rows(self) -> FittedEnsemble:
        """The same, to be asked one row at a time; see `FittedPipeline.for_single_rows`."""
        members = {name: tuple(each.for_single_rows() for each in models) for name, models in self.members.items()}
        return replace(self, head=self.head.for_single_rows(), members=members)

    def answers(self, source: RowSource) -> Answers:
        """Probabilities and decisions of some rows. Raises what the members' pipelines do."""
        return self.combined(member_answers(self.members, source), source)

    def combined(self, members: Mapping[str, MemberAnswers], source: RowSource) -> Answers:
        """The head's answers, where those of the members are at hand."""
        return self.head.probabilities(self.table(members, source))

    def table(self, members: Mapping[str, MemberAnswers], source: RowSource) -> np.ndarray:
        """What the head reads about some rows, float32 `(n, F)`."""
        context = source.matrix(self.context) if self.context else None
        return prediction_table(members, context, calibrated=self.model.input_spec.calibrated)

    def predict(self, container: TimeSeriesDataContainer, rows: np.ndarray) -> Predictions:
        """Predictions of some rows of a container, with their truth where there is one."""
        return predictions_of(container, rows, self.answers(ContainerRows(container, rows)), self.rule)

    def explain(self, container: TimeSeriesDataContainer, rows: np.ndarray) -> dict[str, Explanation]:
        """Nothing: an ensemble says no more than its members' probabilities, which a run keeps."""
        return {}
