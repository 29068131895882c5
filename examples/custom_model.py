"""A model of one's own in a script: settings, fit, probabilities, a file format, then the contract and a run.

The model is a Gaussian naive Bayes on weighted moments: each class has a mean and a variance per feature.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.special import softmax

from ohlcv_factory import BaseModel, InputSpec, ModelRegistry, Samples, TimeSeriesDataContainer, Trainer, TrainerConfig
from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.config import Search, setting
from ohlcv_factory.models.base import EpochSink, FitReport, ModelConfig
from ohlcv_factory.storage.formats import read_arrays, write_arrays
from ohlcv_factory.testing import check_model


class NaiveBayesConfig(ModelConfig):
    """Settings of the model; each field is its only owner of default, range and search range."""

    smoothing: float = setting(
        0.05, "added to every variance, as a share of a feature's own", gt=0, search=Search(0.001, 1.0, log=True)
    )


@ModelRegistry.register("naive_bayes", family="custom", description="Gaussian naive Bayes on weighted moments")
class NaiveBayes(BaseModel):
    """Features are taken as independent within a class (Hand and Yu 2001)."""

    input_spec = InputSpec(feature_set="neural_optimal", scaling="standard")
    Config = NaiveBayesConfig
    native_suffix = ".npz"
    seeded = False

    def _fit(self, train: Samples, val: Samples | None, sink: EpochSink) -> FitReport:
        moments = [self._moments(train.take(train.y == code)) for code in range(self.class_count)]
        self.mean, self.variance = (np.stack(values) for values in zip(*moments, strict=True))
        self.variance += self.config.smoothing * train.X.var(axis=0, dtype=np.float64)
        share = np.bincount(train.y, weights=train.weight) / train.weight.sum()
        self.log_share = np.log(share)
        return FitReport()

    def _moments(self, rows: Samples) -> tuple[np.ndarray, np.ndarray]:
        mean = np.average(rows.X, axis=0, weights=rows.weight)
        return mean, np.average((rows.X - mean) ** 2, axis=0, weights=rows.weight)

    def _predict_proba(self, X: np.ndarray) -> np.ndarray:
        distance = (X[:, None] - self.mean) ** 2 / self.variance + np.log(self.variance)  # (row, class, feature)
        return np.asarray(softmax(self.log_share - distance.sum(axis=2) / 2, axis=1))

    def _save(self, path: Path) -> None:
        write_arrays(path, {"mean": self.mean, "variance": self.variance, "log_share": self.log_share})

    def _load(self, path: Path) -> None:
        for name, values in read_arrays(path).items():
            setattr(self, name, values)


def main() -> None:
    """Check the contract, then train on synthetic bars with a faint planted signal."""
    check_model("naive_bayes")
    print("naive_bayes keeps the contract")
    container = TimeSeriesDataContainer.from_bars(random_walk(6000, seed=7, bar_seconds=3600, beta=0.2), horizon=20)
    result = Trainer(TrainerConfig(model_name="naive_bayes", horizon=20, model={"smoothing": 0.2})).run(container)
    print(result.path, result.evaluation["verdict"]["words"], sep="\n")


if __name__ == "__main__":
    main()
