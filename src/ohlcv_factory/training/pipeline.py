"""Features to decision: scaler, model, calibrator, argmax. The one path of val, test, `predict` and live sessions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.scaling import Scaler
from ohlcv_factory.evaluation.calibration import Calibrator
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.models.base import BaseModel


@dataclass(frozen=True)
class FittedPipeline:
    """A fitted model with everything that was fitted around it."""

    model: BaseModel
    columns: tuple[str, ...]
    """Feature columns in the order of the fit."""
    scaler: Scaler
    calibrator: Calibrator

    @property
    def lookback(self) -> int | None:
        """Bars per window, None for a tabular model."""
        return self.model.lookback if self.model.requires_sequences else None

    def probabilities(self, X: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Raw `(n, 3)`, calibrated `(n, 3)` and decision `(n,)` for unscaled inputs: `(n, len(columns))` or windows."""
        raw = self.model.predict(self.scaler.apply(X)).class_probabilities
        calibrated = self.calibrator.apply(raw)
        return raw, calibrated, calibrated.argmax(axis=1).astype(np.int8)

    def predict(self, container: TimeSeriesDataContainer, rows: np.ndarray) -> Predictions:
        """Predictions of some rows of a container, with their truth where there is one."""
        raw, calibrated, decision = self.probabilities(container.inputs(rows, self.columns, self.lookback))
        labels = container.labels
        return Predictions(
            index=container.index[rows],
            symbols=container.symbols,
            raw=raw,
            probabilities=calibrated,
            decision=decision,
            truth=labels.label[rows],
            labelled=labels.labelled[rows],
            scored=labels.scored[rows],
            horizon=container.horizon,
        )
