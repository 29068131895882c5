"""Small runs of two models on two symbols and two horizons of one dataset: what a leaderboard is made of."""

from __future__ import annotations

from pathlib import Path

from markets import bar_file
from quick_studies import quick_studies

from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.build import build_dataset
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.dataset.store import write_dataset
from ohlcv_factory.dataset.summary import summarise
from ohlcv_factory.studies.cross_validation import cross_validate
from ohlcv_factory.studies.settings import CrossValidationConfig
from ohlcv_factory.training.settings import TrainerConfig
from ohlcv_factory.training.trainer import Trainer

SETTINGS = DatasetConfig.parse(
    {
        "horizons": [5, 10],
        "features": ["return_1", "return_5", "rsi_14", "range_pct"],
        "timeframes": [],
        "embargo_days": "auto",
        "history_bars": 0,
        "barriers": {5: {"k_up": 2.0, "k_down": 2.0}, 10: {"k_up": 2.0, "k_down": 2.0}},
    }
)
MODELS: dict[str, dict[str, object]] = {"logistic": {}, "random_forest": {"n_estimators": 10}}
PLACES = {
    "one_symbol": ("SYNTHA", 5),
    "other_symbol": ("SYNTHB", 5),
    "other_horizon": ("SYNTHA", 10),
    "two_symbols": (None, 5),
}
"""Symbol (None: both together) and horizon of each group of runs."""


def make_board_runs(folder: Path) -> dict[str, list[Path]]:
    """The run folders of each group: logistic and random forest, of `two_symbols` logistic alone.

    Bars of four hours, so that 2,800 of them have some 69 sessions in the val part.
    """
    files = [
        bar_file(random_walk(2800, seed, bar_seconds=14_400, beta=beta, symbol=symbol))
        for seed, symbol, beta in ((3, "SYNTHA", 0.8), (4, "SYNTHB", 0.0))
    ]
    built = build_dataset(files, SETTINGS)
    dataset = write_dataset(built, folder / "dataset", summarise(built))
    with quick_studies():
        return {
            place: [
                _trained(dataset, folder / "runs", model, *PLACES[place])
                for model in MODELS
                if place != "two_symbols" or model == "logistic"
            ]
            for place in PLACES
        }


def _trained(dataset: Path, runs: Path, model: str, symbol: str | None, horizon: int) -> Path:
    config = TrainerConfig(model_name=model, horizon=horizon, model=MODELS[model], output_dir=runs)
    return Trainer(config).run(TimeSeriesDataContainer.from_dataset(dataset, horizon, symbol=symbol)).path


def make_board_studies(folder: Path, dataset: Path) -> list[Path]:
    """Combinatorial cross-validations of both models on SYNTHA: three folds of two groups of three, two whole paths."""
    container = TimeSeriesDataContainer.from_dataset(dataset, 5, symbol="SYNTHA")
    cv = CrossValidationConfig(scheme="combinatorial", folds=3, test_groups=2)
    with quick_studies():
        return [
            cross_validate(
                TrainerConfig(model_name=model, horizon=5, model=settings, output_dir=folder / "runs"), container, cv
            ).path
            for model, settings in MODELS.items()
        ]
