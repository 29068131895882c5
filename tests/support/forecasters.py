"""Two little forecasters of the close in numpy: one that does not train, one that does. Both read each row's own barriers."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from own_models import own_models
from scipy.special import ndtr, softmax

from ohlcv_factory.config import setting
from ohlcv_factory.dataset.samples import InputSpec, RowMarket, Samples
from ohlcv_factory.models.base import BaseModel, EpochSink, FitReport, ModelConfig
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.storage.formats import read_arrays, write_arrays


class WalkConfig(ModelConfig):
    lookback: int = setting(400, "Bars of context; fewer where the series is shorter.", ge=2)
    block_rows: int = setting(8, "Rows that are computed together.", ge=1)


class GaussianWalk(BaseModel):
    """A random walk with the drift of the context, asked where it stands when the barriers expire."""

    input_spec: ClassVar[InputSpec] = InputSpec("sequence", "close_only", lookback=400, needs_market=True, padded=True)
    Config = WalkConfig
    native_suffix = ".npz"
    trains = False
    seeded = False

    @property
    def block_rows(self) -> int:
        return int(self.config.block_rows)

    def _fit(self, train: Samples, val: Samples | None, sink: EpochSink) -> FitReport:
        return FitReport()

    def _predict_with_market(self, X: np.ndarray, market: RowMarket) -> np.ndarray:
        returns = np.diff(np.log(X[:, :, -1].astype(np.float64)), axis=1)
        drift, deviation = np.nanmean(returns, axis=1), np.nanstd(returns, axis=1)
        spread = np.maximum(deviation, 1e-9) * np.sqrt(market.max_bars)
        above, below = (
            np.where(np.isnan(k), market.threshold, k * market.atr / market.close) for k in (market.k_up, market.k_down)
        )
        mean = drift * market.max_bars
        long, short = ndtr((mean - np.log1p(above)) / spread), ndtr((np.log1p(-below) - mean) / spread)
        return np.column_stack([short, np.maximum(1 - short - long, 0), long])

    def _save(self, path: Path) -> None:
        write_arrays(path, {})

    def _load(self, path: Path) -> None:
        """Nothing was fitted."""


class Momentum(BaseModel):
    """A linear discriminant of recent returns, in deviations of the context, and of the ATR in the same unit."""

    input_spec: ClassVar[InputSpec] = InputSpec("sequence", "ohlcv_raw", lookback=400, needs_market=True, padded=True)
    Config = WalkConfig
    native_suffix = ".npz"
    seeded = False

    def _fit(self, train: Samples, val: Samples | None, sink: EpochSink) -> FitReport:
        assert train.market is not None
        seen = self._seen(train.X[:], train.market)
        groups = [train.y == code for code in range(self.class_count)]
        self.means = np.stack([np.average(seen[own], axis=0, weights=train.weight[own]) for own in groups])
        self.precision = np.linalg.inv(np.cov((seen - self.means[train.y]).T, aweights=train.weight))
        return FitReport()

    def _predict_with_market(self, X: np.ndarray, market: RowMarket) -> np.ndarray:
        away = self._seen(X, market)[:, None] - self.means  # (row, class, value)
        return np.asarray(softmax(-0.5 * np.einsum("rcv,vw,rcw->rc", away, self.precision, away), axis=1))

    def _seen(self, X: np.ndarray, market: RowMarket) -> np.ndarray:
        close = np.log(X[:, :, self.feature_names.index("close")].astype(np.float64))
        deviation = np.maximum(np.nanstd(np.diff(close, axis=1), axis=1), 1e-9)
        recent = [(close[:, -1] - close[:, -1 - bars]) / (deviation * np.sqrt(bars)) for bars in (4, 8, 16)]
        return np.column_stack([*recent, market.atr / (market.close * deviation)])

    def _save(self, path: Path) -> None:
        write_arrays(path, {"means": self.means, "precision": self.precision})

    def _load(self, path: Path) -> None:
        arrays = read_arrays(path)
        self.means, self.precision = arrays["means"], arrays["precision"]


@pytest.fixture(scope="module")
def forecasters():
    """Both models registered, and gone after the module's tests."""
    with own_models():
        for name, model_class in (("gaussian_walk", GaussianWalk), ("momentum", Momentum)):
            ModelRegistry.register(name, "custom", description=str(model_class.__doc__))(model_class)
        yield ("gaussian_walk", "momentum")
