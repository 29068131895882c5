"""A few training jobs on a small dataset, for tests of where jobs run."""

from __future__ import annotations

from pathlib import Path

from markets import COLUMNS, bar_file

from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.build import build_dataset
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.dataset.store import write_dataset
from ohlcv_factory.studies.executor.job import JobSpec
from ohlcv_factory.studies.training_job import training_spec
from ohlcv_factory.training.settings import TrainerConfig

MODELS = {"lightgbm": {"n_estimators": 50}, "random_forest": {"n_estimators": 10}}


def small_study(data: Path, study: Path) -> list[JobSpec]:
    """Two models with two seeds each."""
    config = DatasetConfig(horizons=(5,), features=COLUMNS, embargo_days="auto")
    write_dataset(build_dataset([bar_file(random_walk(3000, 7, beta=0.8))], config), data, {})
    container = TimeSeriesDataContainer.from_dataset(data, 5)
    return [
        training_spec(
            TrainerConfig(model_name=name, horizon=5, random_seed=seed, feature_set="neural_optimal", model=settings),
            container,
            study,
        )
        for name, settings in MODELS.items()
        for seed in (1, 2)
    ]
