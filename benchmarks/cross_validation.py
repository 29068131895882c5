"""Row 16: 5 purged folds x 4 horizons of LightGBM on 100,000 rows, against scikit-learn's `cross_val_predict` on the same rows.

The peer makes the fits of our folds and predicts the rows that they test, and nothing else. Its fits are LightGBM called
directly with the parameters, the rows to fit and to stop on, the weights, the seeded chunks and the threads of ours, and
predict the rows of the fit once for its metrics, as row 13 has it. Ours beside that calibrates, scores every block beside the
baselines with intervals, and writes the study. Both are whole commands, reading the data included; `fit_seconds` in
results.json are the fits inside the study.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from common import PREPARE, Bench, Line, Timing, serve, time_command

ROWS = 100_000
TRAIN_SHARE = 0.678
"""Of the bars, after warm-up and embargo."""
HORIZONS = (5, 10, 15, 20)
FOLDS, ROUNDS = 5, 100
MODEL = {"n_estimators": ROUNDS, "early_stopping_rounds": ROUNDS}
RUNS = 1
"""After the warm-up: 20 fits take minutes."""


def lines(bench: Bench) -> list[Line]:
    """The lines of this row."""
    bench.prepare(__file__)
    work = f"cross-validation of LightGBM, {FOLDS} folds x {len(HORIZONS)} horizons, {ROWS} rows"
    ours, theirs = (timed(bench.folder, case) for case in CASES)
    return [Line(16, work, ours, "<= 1.1 x", "cross_val_predict", theirs)]


def timed(folder: Path, case: str) -> Timing:
    """A case as a command of its own; the study folder is new every time."""
    command = [sys.executable, __file__, case, str(folder)]
    timing = time_command(command, before=lambda: shutil.rmtree(folder / "study", ignore_errors=True), runs=RUNS)
    return replace(timing, facts={"fit_seconds": fit_seconds(folder / "study")})


def fit_seconds(study: Path) -> float:
    """Of all fits of a study, by its own clock; 0 where there is none."""
    times = [json.loads(file.read_text()) for file in study.glob("studies/*/folds/*/time.json")]
    return float(sum(each["fit_seconds"] for each in times))


def studies(folder: Path) -> None:
    """Ours: a cross-validation of each horizon."""
    from ohlcv_factory.studies.cross_validation import cross_validate

    for horizon in HORIZONS:
        container, config, cv = _asked(folder, horizon)
        cross_validate(config, container, cv)


def cross_val_predict(folder: Path) -> None:
    """The peer: scikit-learn's loop over the rows of the same folds."""
    for horizon in HORIZONS:
        container, config, cv = _asked(folder, horizon)
        X, y, weight, folds, stops = _table(container, config, cv)

        from sklearn.model_selection import cross_val_predict as predict

        estimator = _estimator()(config, stops)
        predict(estimator, X, y, cv=folds, method="predict_proba", params={"sample_weight": weight})


CASES = {"studies": studies, "cross_val_predict": cross_val_predict}


def _asked(folder: Path, horizon: int) -> tuple[Any, Any, Any]:
    """Container, settings of the fits, and of the folds; threads are set first, as the command line does it."""
    from ohlcv_factory.runtime.threads import set_threads

    set_threads()

    from ohlcv_factory.dataset.container import TimeSeriesDataContainer
    from ohlcv_factory.studies.settings import CrossValidationConfig
    from ohlcv_factory.training.settings import TrainerConfig

    container = TimeSeriesDataContainer.from_dataset(folder / "dataset", horizon)
    config = TrainerConfig(model_name="lightgbm", horizon=horizon, model=MODEL, output_dir=folder / "study" / "runs")
    return container, config, CrossValidationConfig(folds=FOLDS)


def _table(container: Any, config: Any, cv: Any) -> tuple[Any, Any, Any, list[tuple[Any, Any]], dict[int, int]]:
    """The rows that the folds predict, their labels and weights, of each fold the places of the rows that its fit reads and
    of those that it tests, and by the number of the former how many of them, the last ones, the fit stops on."""
    import numpy as np

    from ohlcv_factory.studies.folds import TrainFolds
    from ohlcv_factory.training.fitting import inner_parts, input_columns

    folds = TrainFolds.of(container, cv, config.create_model().lookback)
    covered, pairs, stops = folds.covered(), [], {}
    for fold in folds.folds:
        rows = folds.part(fold).rows("train", scored=True)
        inner = inner_parts(folds.part(fold), rows)
        read = rows[np.concatenate([inner.fit, inner.stop])]
        pairs.append((np.searchsorted(covered, read), np.searchsorted(covered, folds.tested(fold))))
        stops[len(read)] = len(inner.stop)
    columns = input_columns(config, config.create_model(), container)
    samples = container.samples(covered, columns=columns, weighting=config.weighting)
    return samples.X, samples.y, samples.weight, pairs, stops


def _estimator() -> Any:
    """The class of an estimator whose fit is the direct call of row 13."""
    from types import SimpleNamespace

    import numpy as np
    from fit_overhead import grown_lightgbm
    from sklearn.base import BaseEstimator, ClassifierMixin

    class DirectFit(ClassifierMixin, BaseEstimator):
        """LightGBM in seeded chunks; of the rows given to `fit` the last `stops[number of rows]` stop it."""

        def __init__(self, config: Any, stops: dict[int, int]) -> None:
            self.config, self.stops = config, stops

        def fit(self, X: Any, y: Any, sample_weight: Any) -> Any:
            border = len(X) - self.stops[len(X)]
            model = self.config.create_model()
            model.classes, self.classes_ = (0, 1, 2), np.arange(3)
            train, stop = (
                SimpleNamespace(X=X[part], y=y[part], weight=sample_weight[part])
                for part in (slice(0, border), slice(border, None))
            )
            self.booster_, self.best_ = grown_lightgbm(model, train, stop)
            for part in (train, stop):
                self.booster_.predict(part.X, num_iteration=self.best_)
            return self

        def predict(self, X: Any) -> Any:
            return self.predict_proba(X).argmax(axis=1)

        def predict_proba(self, X: Any) -> Any:
            return self.booster_.predict(X, num_iteration=self.best_)

    return DirectFit


def prepare(folder: Path) -> None:
    """A dataset whose train part has the rows."""
    from ohlcv_factory.bars.synthetic import random_walk
    from ohlcv_factory.cli.app import invoke

    random_walk(round(ROWS / TRAIN_SHARE), 7).frame().write_parquet(folder / "SYNTH.parquet")
    horizons = ",".join(map(str, HORIZONS))
    command = ["data", "build", str(folder / "SYNTH.parquet"), "--out", str(folder / "dataset"), "--horizons", horizons]
    if code := invoke(command):
        raise SystemExit(code)


if __name__ == "__main__":
    if sys.argv[1] == PREPARE:
        serve({}, prepare)
    else:
        CASES[sys.argv[1]](Path(sys.argv[2]))
