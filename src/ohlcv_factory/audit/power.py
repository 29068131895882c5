"""Can a model be fooled by noise, and does it see a signal that is there?

The measure: hold sign(P(long) - P(short)) of the raw probabilities over the next bar, close to close, without costs (costs
hide leaks), and take the z-score of the P&L of 120-bar blocks.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ohlcv_factory.audit.small_networks import small_settings
from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.settings import BarrierOverride, DatasetConfig
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.features.sets import SetRules
from ohlcv_factory.labels.classes import LONG, SHORT
from ohlcv_factory.labels.fixed_horizon import FixedHorizonRule
from ohlcv_factory.labels.rules import LabelRule
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.splits.chronological import PartShares
from ohlcv_factory.training.fitting import fit_pipeline
from ohlcv_factory.training.settings import TrainerConfig

MARKET_BARS = 80_000
TRAIN_SHARE = 0.75
BLOCK_BARS = 120
NULL_LIMIT = 3.5
"""|z| of one seed on a random walk stays below; a planted signal that is found lies above."""

NETWORK_LOOP: Mapping[str, Any] = {"batch_size": 256, "max_epochs": 2, "learning_rate": 0.003}
"""How a network is trained here, beside the sizes of `small_settings`: width 16 over 16 bars."""
AUDITED_SET = "audited"
"""Name of the feature set that holds exactly the columns under audit."""


def planted_market(
    seed: int, *, beta: float = 0.0, horizon: int = 20, bars: int = MARKET_BARS
) -> TimeSeriesDataContainer:
    """A random walk (beta 0) or one whose next bar a signal in the volume moves by beta standard deviations.

    Divided 75 / 25 without a test part and without an embargo.
    """
    config = DatasetConfig(horizons=(horizon,), parts=_parts(), embargo_days=0.0)
    return TimeSeriesDataContainer.from_bars(random_walk(bars, seed, beta=beta), horizon=horizon, config=config)


def market_with(
    columns: Sequence[str],
    rule: LabelRule,
    horizon: int,
    *,
    seed: int,
    beta: float,
    bars: int,
    bar_seconds: int = 300,
    timeframes: tuple[str, ...] = (),
) -> TimeSeriesDataContainer:
    """The same with given columns and label rule, on bars of a given size; columns that cannot be had there are absent.

    Raises UsageError (2) where none can be had.
    """
    config = DatasetConfig(
        horizons=(horizon,),
        features=tuple(columns),
        timeframes=timeframes,
        parts=_parts(),
        embargo_days=0.0,
        **_label_keys(rule, horizon),
    )
    walk = random_walk(bars, seed, beta=beta, bar_seconds=bar_seconds)
    return TimeSeriesDataContainer.from_bars(walk, horizon=horizon, config=config)


def direction_z(model: str, container: TimeSeriesDataContainer, *, seed: int = 0, **hyper_parameters: Any) -> float:
    """z-score of a model's direction on the val part of a market: about N(0, 1) where there is nothing to know.

    A network is a small one, see `NETWORK_LOOP`, except for the hyper-parameters that are given.
    """
    settings = {**small_network(model), **hyper_parameters}
    config = TrainerConfig(model_name=model, horizon=container.horizon, random_seed=seed, model=settings)
    return fitted_z(config, container)


def fitted_z(config: TrainerConfig, container: TimeSeriesDataContainer) -> float:
    """The same of a config, fitted on the train part of a market."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline = fit_pipeline(config, container).pipeline
        return path_z(pipeline.predict(container, container.rows("val")), container)


def path_z(predictions: Predictions, container: TimeSeriesDataContainer) -> float:
    """z-score of holding sign(P(long) - P(short)) of each predicted bar over the next one; one symbol."""
    position = np.sign(predictions.raw[:, LONG] - predictions.raw[:, SHORT])
    close = container.markets[0].bars.close
    rows = predictions.index["row"]
    known = rows + 1 < len(close)
    pnl = position[known] * np.log(close[rows[known] + 1] / close[rows[known]])
    blocks = pnl[: len(pnl) // BLOCK_BARS * BLOCK_BARS].reshape(-1, BLOCK_BARS).sum(axis=1)
    deviation = blocks.std(ddof=1)
    return float(blocks.mean() / deviation * np.sqrt(len(blocks))) if deviation > 0 else 0.0


def small_network(model: str) -> dict[str, Any]:
    """Hyper-parameters that make a network small enough to be fitted on a market; none for any other model."""
    small = small_settings(model)
    fields = ModelRegistry.model_class(model).Config.model_fields
    return small | {name: value for name, value in NETWORK_LOOP.items() if small and name in fields}


def reading_all(config: TrainerConfig, container: TimeSeriesDataContainer) -> TrainerConfig:
    """The config with a feature set of exactly the columns that a container holds."""
    sets = {**config.feature_sets, AUDITED_SET: SetRules(include=container.feature_names)}
    return config.model_copy(update={"feature_set": AUDITED_SET, "feature_sets": sets})


def _parts() -> PartShares:
    return PartShares(train=TRAIN_SHARE, val=1 - TRAIN_SHARE)


def _label_keys(rule: LabelRule, horizon: int) -> dict[str, Any]:
    """The keys of a dataset that make its labels by that rule, whatever the instrument."""
    if isinstance(rule, FixedHorizonRule):
        return {"label": "fixed_horizon", "theta": rule.theta, "sigma_bars": rule.sigma_bars}
    override = BarrierOverride(k_up=rule.k_up, k_down=rule.k_down, max_bars=rule.max_bars)
    return {"barriers": {horizon: override}}
