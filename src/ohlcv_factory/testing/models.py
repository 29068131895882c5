"""The contract of every model as checks that a plugin's author can run: `check_model("my_model")`.

Each check is a function of one `Subject`, so that a test runner can show them one by one; a failure is an
AssertionError with the model's name and the numbers.
"""

from __future__ import annotations

import math
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from ohlcv_factory.dataset.samples import Samples
from ohlcv_factory.errors import DataError, FactoryError, UsageError
from ohlcv_factory.labels.classes import CLASS_COUNT, LONG, NEUTRAL, SHORT
from ohlcv_factory.models.base import BaseModel, MissingClassWarning, TrainingMetrics, array_samples
from ohlcv_factory.models.registry import ModelRegistry

Check = Callable[["Subject"], None]

ROWS, FEATURES, TRAIN_ROWS, STOP_ROWS = 1500, 12, 1000, 250
SEED, OTHER_SEED = 3, 4


@dataclass(frozen=True)
class Subject:
    """A registered model under check, with the hyper-parameters to check it with (a small fit is enough)."""

    name: str
    config: Mapping[str, Any] | None = None
    threads: int | None = None

    def create(self, seed: int = SEED) -> BaseModel:
        """A new, unfitted model."""
        return ModelRegistry.create(self.name, self.config, seed=seed, threads=self.threads)

    def fitted(self, train: Samples, stop: Samples | None = None, seed: int = SEED) -> BaseModel:
        """A model fitted on these rows; a missing class is no reason to warn here."""
        return self.fit(train, stop, seed)[0]

    def fit(self, train: Samples, stop: Samples | None, seed: int = SEED) -> tuple[BaseModel, TrainingMetrics]:
        """A fitted model and how its fit went."""
        model = self.create(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MissingClassWarning)
            return model, model.fit(train, stop)

    @cached_property
    def parts(self) -> tuple[Samples, Samples, Samples]:
        """Rows to fit, to stop on and to score, with a planted signal."""
        rows = planted_samples()
        stop_end = TRAIN_ROWS + STOP_ROWS
        return rows.take(slice(0, TRAIN_ROWS)), rows.take(slice(TRAIN_ROWS, stop_end)), rows.take(slice(stop_end, None))

    @cached_property
    def reference(self) -> BaseModel:
        """The model fitted on `parts`, shared by all checks that only read it."""
        train, stop, _ = self.parts
        return self.fitted(train, stop)

    def probabilities(self, model: BaseModel) -> np.ndarray:
        """Probabilities `(n, 3)` of the scored rows."""
        return model.predict(self.parts[2]).class_probabilities


def check_model(name: str, config: Mapping[str, Any] | None = None, *, threads: int | None = None) -> None:
    """Run every check of the contract over a registered model.

    `config` holds hyper-parameters that make its fit small. Raises AssertionError at the first broken rule.
    """
    subject = Subject(name, config, threads)
    for check in CHECKS:
        check(subject)


def planted_samples(rows: int = ROWS, features: int = FEATURES, seed: int = 0) -> Samples:
    """Rows whose class follows the first two features with some noise; the other features are noise."""
    generator = np.random.default_rng(seed)
    X = generator.standard_normal((rows, features)).astype(np.float32)
    score = X[:, 0] + 0.7 * X[:, 1] + 0.7 * generator.standard_normal(rows)
    y = np.digitize(score, (-0.6, 0.6)).astype(np.int8)
    return array_samples(X, y, generator.uniform(0.5, 1.5, rows))


def check_defaults(subject: Subject) -> None:
    """`get_default_config` builds the same model again, and holds nothing but plain values."""
    defaults = type(subject.create()).get_default_config()
    again = ModelRegistry.create(subject.name, defaults)
    _require(subject, again.config.plain() == defaults, f"defaults change on their way through the config: {defaults}")


def check_unknown_key(subject: Subject) -> None:
    """A hyper-parameter that does not exist is refused by its name."""
    error = _raised(subject, UsageError, lambda: ModelRegistry.create(subject.name, {"no_such_key": 1}))
    _require(subject, "no_such_key" in error.what, f"the error does not name the key: {error.what}")


def check_unfitted(subject: Subject) -> None:
    """`predict` before `fit` is refused."""
    _raised(subject, UsageError, lambda: subject.create().predict(subject.parts[2]))


def check_shapes(subject: Subject) -> None:
    """Three columns that sum to 1, the class with the largest probability, and that probability."""
    output = subject.reference.predict(subject.parts[2])
    probabilities, rows = output.class_probabilities, len(subject.parts[2])
    _require(subject, probabilities.shape == (rows, CLASS_COUNT), f"probabilities have shape {probabilities.shape}")
    _require(subject, bool((probabilities >= 0).all()), f"the smallest probability is {probabilities.min()}")
    furthest = np.abs(probabilities.sum(axis=1) - 1).max()
    _require(subject, furthest < 1e-6, f"a row's probabilities miss 1 by {furthest}")
    _require(
        subject, bool((output.class_predictions == probabilities.argmax(axis=1)).all()), "a class is not the argmax"
    )
    _require(subject, bool((output.confidence == probabilities.max(axis=1)).all()), "confidence is not the maximum")
    empty = subject.reference.predict(subject.parts[2].take(slice(0, 0))).class_probabilities
    _require(subject, empty.shape == (0, CLASS_COUNT), f"no rows give shape {empty.shape}")


def check_class_order(subject: Subject) -> None:
    """Columns stand for short, neutral, long: each is larger on its own class than elsewhere."""
    truth, probabilities = subject.parts[2].y, subject.probabilities(subject.reference)
    for code in (SHORT, NEUTRAL, LONG):
        inside, outside = probabilities[truth == code, code].mean(), probabilities[truth != code, code].mean()
        _require(subject, inside > outside, f"P(class {code}) is {inside:.3f} on its rows, {outside:.3f} on others")


def check_learns(subject: Subject) -> None:
    """A planted signal is found: the log-loss of new rows lies well under that of the class shares."""
    train, _, scored = subject.parts
    probabilities = np.clip(subject.probabilities(subject.reference), 1e-15, 1)
    loss = -np.log(probabilities[np.arange(len(scored)), scored.y]).mean()
    chance = -np.log(train.class_counts() / len(train))[scored.y].mean()
    _require(subject, loss < 0.85 * chance, f"log-loss {loss:.3f} where class shares alone reach {chance:.3f}")


def check_metrics(subject: Subject) -> None:
    """`fit` reports finite numbers for the rows it had, NaN for stop rows it had not."""
    train, stop, _ = subject.parts
    metrics = subject.fit(train, stop)[1]
    numbers = (metrics.train_loss, metrics.val_loss, metrics.train_accuracy, metrics.val_accuracy, metrics.train_f1)
    _require(subject, all(map(math.isfinite, numbers)), f"metrics are not finite: {metrics}")
    _require(subject, metrics.epochs_trained >= 1, f"epochs_trained is {metrics.epochs_trained}")
    _require(subject, (metrics.best_epoch or 1) <= metrics.epochs_trained, f"best_epoch is {metrics.best_epoch}")
    alone = subject.fit(train, None)[1]
    _require(subject, math.isnan(alone.val_loss), f"val_loss without stop rows is {alone.val_loss}")


def check_same_seed(subject: Subject) -> None:
    """The same rows and seed give the same bytes."""
    train, stop, _ = subject.parts
    again = subject.probabilities(subject.fitted(train, stop))
    _require_same(subject, again, subject.probabilities(subject.reference), "two fits with one seed")


def check_other_seed(subject: Subject) -> None:
    """Another seed changes a model that draws at random, and no other (`seeded` says which)."""
    train, stop, _ = subject.parts
    other = subject.probabilities(subject.fitted(train, stop, OTHER_SEED))
    changed = other.tobytes() != subject.probabilities(subject.reference).tobytes()
    seeded = subject.reference.seeded
    _require(subject, changed == seeded, f"seeded is {seeded}, yet another seed changes the predictions: {changed}")


def check_round_trip(subject: Subject) -> None:
    """A saved and loaded model predicts the same bytes and knows its classes, features and settings."""
    loaded = subject.create(OTHER_SEED)
    with tempfile.TemporaryDirectory() as folder:
        subject.reference.save(Path(folder) / "model")
        loaded.load(Path(folder) / "model")
    _require_same(subject, subject.probabilities(loaded), subject.probabilities(subject.reference), "saved and loaded")
    for fact in ("classes", "feature_names", "seed", "config"):
        before, after = getattr(subject.reference, fact), getattr(loaded, fact)
        _require(subject, before == after, f"{fact} was {before}, is {after} after loading")


def check_rows_alone(subject: Subject) -> None:
    """A row gives the same bytes alone and among others, at any place in a batch."""
    rows, model = subject.parts[2].X, subject.reference
    together = model.predict(rows).class_probabilities
    alone = np.concatenate([model.predict(rows[row : row + 1]).class_probabilities for row in range(0, len(rows), 25)])
    _require_same(subject, alone, together[::25], "a row alone and in a batch")
    shifted = model.predict(rows[7:]).class_probabilities
    _require_same(subject, shifted, together[7:], "a batch that starts later")


def check_later_rows(subject: Subject) -> None:
    """Changing later rows changes no earlier prediction."""
    rows = subject.parts[2].X
    half = len(rows) // 2
    changed = np.concatenate([rows[:half], 5 - 3 * rows[half:]])
    before, after = (subject.reference.predict(values).class_probabilities[:half] for values in (rows, changed))
    _require_same(subject, after, before, "earlier rows after later ones changed")


def check_column_order(subject: Subject) -> None:
    """Samples with the columns in another order give the same bytes; missing columns are refused by name."""
    scored = subject.parts[2]
    mirrored = replace(scored, X=scored.X[:, ::-1], feature_names=scored.feature_names[::-1])
    after = subject.reference.predict(mirrored).class_probabilities
    _require_same(subject, after, subject.probabilities(subject.reference), "columns in another order")
    fewer = replace(scored, X=scored.X[:, 1:], feature_names=scored.feature_names[1:])
    error = _raised(subject, DataError, lambda: subject.reference.predict(fewer))
    _require(subject, "f0" in error.what, f"the error does not name the missing feature f0: {error.what}")
    _raised(subject, DataError, lambda: subject.reference.predict(scored.X[:, 1:]))


def check_bad_values(subject: Subject) -> None:
    """NaN, infinity and weights that are not positive are refused, in `fit` and in `predict`."""
    train, stop, scored = subject.parts
    for value in (math.nan, math.inf):
        spoiled = _with_value(train, value)
        _raised(subject, DataError, partial(subject.create().fit, spoiled, stop))
        _raised(subject, DataError, partial(subject.reference.predict, _with_value(scored, value)))
    for weight in (0.0, -1.0, math.nan):
        weights = np.where(np.arange(len(train)) == 5, weight, 1.0)
        bad_weight = replace(train, weight=weights)
        _raised(subject, DataError, partial(subject.create().fit, bad_weight, stop))


def check_weights_in_fit(subject: Subject) -> None:
    """Heavy rows win: of two halves with opposite labels, the heavier one decides the sign of the signal."""
    train, _, scored = subject.parts
    first_half = np.arange(len(train)) < len(train) // 2
    contradicting = np.where(first_half, train.y, 2 - train.y).astype(np.int8)
    slopes = []
    for heavy in (first_half, ~first_half):
        weighted = replace(train, y=contradicting, weight=np.where(heavy, 10.0, 0.1))
        probabilities = subject.probabilities(subject.fitted(weighted))
        slopes.append(float(np.corrcoef(scored.X[:, 0], probabilities[:, LONG] - probabilities[:, SHORT])[0, 1]))
    _require(subject, slopes[0] > 0 > slopes[1], f"correlation with the signal is {slopes}, wanted plus and minus")


def check_weights_in_stopping(subject: Subject) -> None:
    """Where a model stops early, the weights of the stop rows choose the best round."""
    train, stop, _ = subject.parts
    agreeing = np.arange(len(stop)) < len(stop) // 2
    labels = np.where(agreeing, stop.y, 2 - stop.y).astype(np.int8)
    best = []
    for heavy in (agreeing, ~agreeing):
        weighted = replace(stop, y=labels, weight=np.where(heavy, 10.0, 0.1))
        best.append(subject.fit(train, weighted)[1].best_epoch or 0)
    if any(best):
        _require(subject, best[0] > best[1], f"best rounds are {best}: rows that contradict should end the fit sooner")


def check_missing_class(subject: Subject) -> None:
    """A class that the training rows lack has probability 0, also when only the stop rows hold it."""
    train, stop, scored = subject.parts
    for missing in (SHORT, NEUTRAL, LONG):
        some = train.take(train.y != missing)
        for stop_rows in (stop, stop.take(stop.y == missing)):
            probabilities = subject.probabilities(subject.fitted(some, stop_rows))
            _require(subject, probabilities.shape == (len(scored), CLASS_COUNT), f"shape {probabilities.shape}")
            _require(
                subject, bool((probabilities[:, missing] == 0).all()), f"class {missing} was never seen, yet P > 0"
            )
            furthest = np.abs(probabilities.sum(axis=1) - 1).max()
            _require(subject, furthest < 1e-6, f"a row's probabilities miss 1 by {furthest}")


def check_single_class(subject: Subject) -> None:
    """Training rows of one class only are refused."""
    train, stop, _ = subject.parts
    _raised(subject, DataError, lambda: subject.create().fit(train.take(train.y == NEUTRAL), stop))


def check_importance(subject: Subject) -> None:
    """Importances are None, or one share per feature that sum to 1, the planted feature first."""
    importance = subject.reference.get_feature_importance()
    if importance is None:
        return
    _require(subject, list(importance) == list(subject.reference.feature_names), f"names are {list(importance)}")
    _require(subject, abs(sum(importance.values()) - 1) < 1e-9, f"importances sum to {sum(importance.values())}")
    first = max(importance, key=importance.__getitem__)
    _require(subject, first == "f0", f"{first} is called the most important feature, f0 was planted")


CHECKS: tuple[Check, ...] = (
    check_defaults,
    check_unknown_key,
    check_unfitted,
    check_shapes,
    check_class_order,
    check_learns,
    check_metrics,
    check_same_seed,
    check_other_seed,
    check_round_trip,
    check_rows_alone,
    check_later_rows,
    check_column_order,
    check_bad_values,
    check_weights_in_fit,
    check_weights_in_stopping,
    check_missing_class,
    check_single_class,
    check_importance,
)


def _require(subject: Subject, holds: bool, message: str) -> None:
    if not holds:
        raise AssertionError(f"model {subject.name!r}: {message}")


def _require_same(subject: Subject, left: np.ndarray, right: np.ndarray, what: str) -> None:
    if left.tobytes() != right.tobytes():
        furthest = np.abs(left - right).max() if left.shape == right.shape else f"shapes {left.shape}, {right.shape}"
        raise AssertionError(f"model {subject.name!r}: {what} differ, largest difference {furthest}")


def _raised(subject: Subject, kind: type[FactoryError], act: Callable[[], object]) -> FactoryError:
    try:
        act()
    except kind as error:
        return error
    raise AssertionError(f"model {subject.name!r}: {kind.__name__} was due, nothing was raised")


def _with_value(samples: Samples, value: float) -> Samples:
    X = samples.X.copy()
    X[3, 1] = value
    return replace(samples, X=X)
