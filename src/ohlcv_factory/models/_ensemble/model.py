"""Base of the ensembles: what they ask of the members beside their probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ohlcv_factory.dataset.samples import InputSpec
from ohlcv_factory.models.base import BaseModel

RAW_PREDICTIONS = InputSpec(layout="predictions", feature_set="none")
CALIBRATED_PREDICTIONS = InputSpec(layout="predictions", feature_set="none", calibrated=True)


class EnsembleModel(BaseModel):
    """A model whose X is a table of member probabilities, see `table.py`."""

    input_spec: ClassVar[InputSpec] = RAW_PREDICTIONS

    @property
    def context_columns(self) -> tuple[str, ...]:
        """Feature columns, unscaled, that it wants beside the probabilities."""
        return ()

    @property
    def holdout_share(self) -> float | None:
        """Share of the train times, the latest, that it learns from, predicted by members of the times before.

        None where it learns from every train row, predicted out of fold.
        """
        return None

    def refuse_members(self, names: Sequence[str], *, choosing: bool) -> None:
        """Raise UsageError (2) where its settings do not fit these members; `choosing`: some of them may be left out.

        Asked before any member is fitted.
        """
