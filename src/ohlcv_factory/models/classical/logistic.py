"""Logistic regression: one linear score per class, the baseline that a larger model has to beat."""

from __future__ import annotations

import logging
import warnings
from typing import Any, ClassVar, Literal

import numpy as np

from ohlcv_factory.config import Search, setting
from ohlcv_factory.dataset.samples import InputSpec, Samples
from ohlcv_factory.models._sklearn import SklearnModel
from ohlcv_factory.models.base import EpochSink, FitReport, ModelConfig, importance_shares
from ohlcv_factory.models.registry import ModelRegistry

REQUIRES = ("sklearn",)
_log = logging.getLogger(__name__)


class LogisticConfig(ModelConfig):
    """Settings of the logistic regression."""

    C: float = setting(
        1.0, "inverse strength of the L2 penalty", gt=0, search=Search(1e-4, 100.0, log=True), source="specification"
    )
    solver: Literal["lbfgs", "newton-cg"] = setting("lbfgs", "how the optimum is found", source="specification")
    max_iter: int = setting(500, "most iterations of the solver", ge=1, source="specification")

    refused: ClassVar[dict[str, str]] = {
        "penalty": "the penalty is L2, and C is its inverse strength",
        "multi_class": "the regression is always multinomial",
    }


@ModelRegistry.register()
class Logistic(SklearnModel):
    """Multinomial logistic regression with an L2 penalty, on standardised features."""

    input_spec: ClassVar[InputSpec] = InputSpec(feature_set="boosting_optimal", scaling="standard")
    Config = LogisticConfig
    seeded = False

    def get_feature_importance(self) -> dict[str, float] | None:
        """Mean absolute coefficient over the classes, as a share; it compares features of equal scale."""
        return importance_shares(self.feature_names, np.abs(self.estimator.coef_).mean(axis=0))

    def _fit(self, train: Samples, val: Samples | None, sink: EpochSink) -> FitReport:
        from sklearn.linear_model import LogisticRegression

        self.estimator = LogisticRegression(**self.config.model_dump())
        converged = _fit_quietly(self.estimator, train)
        iterations = int(self.estimator.n_iter_.max())
        if not converged:
            _log.warning("logistic: no convergence in %d iterations; raise max_iter or lower C", iterations)
        return FitReport(epochs_trained=iterations, history={"converged": [float(converged)]})


def _fit_quietly(estimator: Any, train: Samples) -> bool:
    """Fit, and say whether the solver converged instead of warning about it."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        estimator.fit(train.X, train.y, sample_weight=train.weight)
    return not any(issubclass(warning.category, ConvergenceWarning) for warning in caught)
