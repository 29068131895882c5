"""Blending: a meta-learner on a time-ordered holdout, which members of earlier rows predict."""

from __future__ import annotations

from ohlcv_factory.config import setting
from ohlcv_factory.models.ensemble.stacking import Stacking, StackingConfig
from ohlcv_factory.models.registry import ModelRegistry

REQUIRES = ("sklearn",)


class BlendingConfig(StackingConfig):
    """Settings of blending: those of stacking, and the holdout."""

    holdout: float = setting(0.3, "share of the train times, the latest, that the meta-learner learns from", gt=0, lt=1)


@ModelRegistry.register()
class Blending(Stacking):
    """Stacking's meta-learner on one holdout: one fit per member, no member that knows later rows, fewer rows to learn from."""

    Config = BlendingConfig

    @property
    def holdout_share(self) -> float | None:
        """The latest share of the train times."""
        return float(self.config.holdout)
