"""The contract of every model as checks that a plugin's author can run: `check_model("my_model")`.

Each check is a function of one `Subject`, so that a test runner can show them one by one; a failure is an
AssertionError with the model's name and the numbers.
"""

from __future__ import annotations

import math
import pickletools
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from ohlcv_factory.audit.small_networks import small_settings
from ohlcv_factory.dataset.samples import InputSpec, RowMarket, Samples
from ohlcv_factory.dataset.windows import WindowSource
from ohlcv_factory.errors import DataError, FactoryError, UsageError
from ohlcv_factory.labels.classes import CLASS_COUNT, LONG, NEUTRAL, SHORT
from ohlcv_factory.models._ensemble.table import table_columns
from ohlcv_factory.models.base import BaseModel, MissingClassWarning, PredictionOutput, TrainingMetrics
from ohlcv_factory.models.given_rows import array_samples
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.testing.planted_bars import example_market, planted_bars, reads_bars, steady_bars

Check = Callable[["Subject"], None]

ROWS, FEATURES, TRAIN_ROWS, STOP_ROWS = 1600, 12, 1000, 250
WINDOWS, TRAIN_WINDOWS, STOP_WINDOWS = 1100, 600, 200
WINDOW_FEATURES, WINDOW_MEMORY = 5, 0.8
"""Columns of the planted windows, and the share of a bar's value that the next bar keeps."""
SEED, OTHER_SEED = 3, 4
LEAST_MOVE = 0.01
"""By how much P(long) - P(short) of a model that does not train differs at least between a rising and a falling close."""


@dataclass(frozen=True)
class Subject:
    """A registered model under check, with the hyper-parameters to check it with (a small fit is enough)."""

    name: str
    config: Mapping[str, Any] | None = None
    threads: int | None = None

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """The hyper-parameters of the checks: those given, else a network's small ones, else the defaults."""
        return small_settings(self.name) if self.config is None else self.config

    @property
    def model_class(self) -> type[BaseModel]:
        """The class under check; its capabilities say which checks apply."""
        return ModelRegistry.model_class(self.name)

    @property
    def spec(self) -> InputSpec:
        """What the model asks to be fed."""
        return self.model_class.input_spec

    @property
    def is_sequence(self) -> bool:
        """Whether the model reads windows."""
        return self.spec.is_sequence

    def create(self, seed: int = SEED) -> BaseModel:
        """A new, unfitted model."""
        return ModelRegistry.create(self.name, self.settings, seed=seed, threads=self.threads)

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
    def planted(self) -> tuple[Samples, np.ndarray]:
        """All rows of the checks, and the signal `(n,)` that the class of each follows."""
        if self.spec.is_ensemble:
            return planted_predictions()
        lookback = self.create().lookback
        if reads_bars(self.spec):
            return planted_bars(self.spec, lookback)
        rows = planted_windows(lookback) if self.is_sequence else planted_samples()
        signal = _newest(rows)[:, 0]
        return (replace(rows, market=example_market(len(rows))) if self.spec.needs_market else rows), signal

    @property
    def borders(self) -> tuple[int, int]:
        """The first row to stop on, and the first row to score."""
        train, stop = (TRAIN_WINDOWS, STOP_WINDOWS) if self.is_sequence else (TRAIN_ROWS, STOP_ROWS)
        return train, train + stop

    @cached_property
    def parts(self) -> tuple[Samples, Samples, Samples]:
        """Rows to fit, to stop on and to score, with a planted signal."""
        (stop, score), rows = self.borders, self.planted[0]
        return rows.take(slice(0, stop)), rows.take(slice(stop, score)), rows.take(slice(score, None))

    @property
    def signal(self) -> np.ndarray:
        """What the class of each scored row follows, `(n,)`."""
        return self.planted[1][self.borders[1] :]

    @cached_property
    def first_fit(self) -> tuple[BaseModel, TrainingMetrics]:
        """The model fitted on `parts` and how its fit went, shared by all checks that only read it."""
        train, stop, _ = self.parts
        return self.fit(train, stop)

    @property
    def reference(self) -> BaseModel:
        """The model of `first_fit`."""
        return self.first_fit[0]

    def probabilities(self, model: BaseModel) -> np.ndarray:
        """Probabilities `(n, 3)` of the scored rows."""
        return model.predict(self.parts[2]).class_probabilities


def check_model(
    model: str | type[BaseModel], config: Mapping[str, Any] | None = None, *, threads: int | None = None
) -> None:
    """Run every check of the contract over a registered model, named or given as its class.

    `config` holds hyper-parameters that make its fit small; without it a network gets `small_settings`, any other model
    its defaults. A sequence model is checked on windows, one that reads raw columns on those of bars with a planted drift,
    one that reads the market with the label rule of each row, an ensemble on the answers of planted members. A model that
    does not train is checked without the checks of training: instead a drifting close must move its P(long) - P(short).
    Raises AssertionError at the first broken rule.
    """
    subject = Subject(model if isinstance(model, str) else _registered_name(model), config, threads)
    for check in checks_for(subject):
        check(subject)


def _registered_name(model_class: type[BaseModel]) -> str:
    name = model_class.name
    if name not in ModelRegistry.entries() or ModelRegistry.model_class(name) is not model_class:
        raise UsageError(
            f"{model_class.__name__} is not registered.",
            where=model_class.__module__,
            help='decorate it: @ModelRegistry.register("my_model", family="neural")',
        )
    return name


def checks_for(subject: Subject) -> tuple[Check, ...]:
    """The checks that a model's declared capabilities call for."""
    trains, spec = subject.create().trains, subject.spec
    left_out = set() if spec.is_sequence else set(OF_SEQUENCES)
    left_out |= set() if trains else set(OF_TRAINING)
    left_out |= set() if spec.padded else set(OF_PADDED)
    left_out |= set() if spec.needs_market else set(OF_MARKET)
    left_out |= set() if reads_bars(spec) and not trains else {check_drift}
    left_out |= set() if spec.needs_market and not trains else {check_barriers}
    return tuple(check for check in CHECKS if check not in left_out)


def planted_samples(rows: int = ROWS, features: int = FEATURES, seed: int = 0) -> Samples:
    """Rows whose class follows the first two features with some noise; the other features are noise."""
    generator = np.random.default_rng(seed)
    X = generator.standard_normal((rows, features)).astype(np.float32)
    score = X[:, 0] + 0.7 * X[:, 1] + 0.7 * generator.standard_normal(rows)
    y = np.digitize(score, (-0.6, 0.6)).astype(np.int8)
    return array_samples(X, y, generator.uniform(0.5, 1.5, rows))


def planted_predictions(rows: int = ROWS, seed: int = 0) -> tuple[Samples, np.ndarray]:
    """Probabilities of three planted members, and the signal `(n,)` that the classes follow with some noise.

    `informed` knows the signal, `partial` one of its two parts, `contrary` says the opposite of `partial`.
    """
    generator = np.random.default_rng(seed)
    parts = generator.standard_normal((rows, 2)) * (1.0, 0.7)
    signal = parts.sum(axis=1)
    y = np.digitize(signal + 0.7 * generator.standard_normal(rows), (-0.6, 0.6)).astype(np.int8)
    informed, partial_answers = _class_odds(signal, 0.7), _class_odds(parts[:, 0], math.hypot(0.7, 0.7))
    answers = (informed, partial_answers, partial_answers[:, ::-1])
    plain = array_samples(np.hstack(answers), y, generator.uniform(0.5, 1.5, rows))
    return replace(plain, feature_names=table_columns(("informed", "partial", "contrary"))), signal


def _class_odds(known: np.ndarray, noise: float) -> np.ndarray:
    """Exact probabilities `(n, 3)` where the unknown rest is normal with deviation `noise`."""
    from scipy.special import ndtr

    short, not_long = (ndtr((border - known) / noise) for border in (-0.6, 0.6))
    return np.column_stack([short, not_long - short, 1 - not_long])


def planted_windows(lookback: int, rows: int = WINDOWS, features: int = WINDOW_FEATURES, seed: int = 0) -> Samples:
    """Windows over one table of slowly moving columns; the class follows the first two at the newest bar, with noise."""
    generator = np.random.default_rng(seed)
    table = generator.standard_normal((rows + lookback - 1, features))
    for bar in range(1, len(table)):
        table[bar] = WINDOW_MEMORY * table[bar - 1] + math.sqrt(1 - WINDOW_MEMORY**2) * table[bar]
    ends = np.arange(lookback - 1, len(table))
    score = table[ends, 0] + 0.7 * table[ends, 1] + 0.5 * generator.standard_normal(rows)
    y = np.digitize(score, (-0.6, 0.6)).astype(np.int8)
    source = WindowSource(table.astype(np.float32), ends, lookback)
    return array_samples(source, y, generator.uniform(0.5, 1.5, rows))


def check_defaults(subject: Subject) -> None:
    """`get_default_config` builds a model, and is the same after its way through the config: plain values only."""
    defaults = subject.model_class.get_default_config()
    ModelRegistry.create(subject.name, defaults)
    again = subject.model_class.Config.parse(defaults).plain()
    _require(subject, again == defaults, f"defaults change on their way through the config: {defaults}, then {again}")


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
    train, metrics = subject.parts[0], subject.first_fit[1]
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


def check_safe_files(subject: Subject) -> None:
    """What `save` writes runs no code when it is read: no pickle, neither bare nor in an archive or an array."""
    with tempfile.TemporaryDirectory() as folder:
        subject.reference.save(Path(folder) / "model")
        for path in sorted(Path(folder).iterdir()):
            _require(subject, not _holds_pickle(path), f"{path.name} holds a pickle")


def check_rows_alone(subject: Subject) -> None:
    """A row gives the same bytes alone and among others, at any place in a batch."""
    scored, model = subject.parts[2], subject.reference
    plain = _plain(scored)

    def predicted(rows: slice) -> np.ndarray:
        return model.predict(_given(scored.take(rows), plain[rows])).class_probabilities

    together = predicted(slice(None))
    alone = np.concatenate([predicted(slice(row, row + 1)) for row in range(0, len(plain), 25)])
    _require_same(subject, alone, together[::25], "a row alone and in a batch")
    _require_same(subject, predicted(slice(7, None)), together[7:], "a batch that starts later")


def check_later_rows(subject: Subject) -> None:
    """Changing later rows changes no earlier prediction; nor does changing the bars after a window's end."""
    scored = subject.parts[2]
    half = len(scored) // 2
    changed = _with_later_changed(scored, half)
    before, after = (subject.reference.predict(rows).class_probabilities[:half] for rows in (scored, changed))
    _require_same(subject, after, before, "earlier rows after later ones changed")


def check_memory_order(subject: Subject) -> None:
    """The bytes follow from the values: not from their order in memory, nor from float64 that holds float32 values."""
    scored, plain = subject.parts[2], _plain(subject.parts[2])
    before = subject.probabilities(subject.reference)
    strided = np.repeat(plain, 2, axis=0)[::2]
    for rows, what in (
        (np.asfortranarray(plain), "column by column"),
        (strided, "with gaps"),
        (plain.astype(np.float64), "in float64"),
    ):
        after = subject.reference.predict(_given(scored, rows)).class_probabilities
        _require_same(subject, after, before, f"rows stored {what}")


def check_view_and_array(subject: Subject) -> None:
    """A view of windows and plain arrays of them give the same bytes, in `predict` and in `fit`.

    The view's table also holds the bars after the last window of the fit, the array does not: no fit may look at them.
    """
    train, stop, scored = subject.parts
    before = subject.probabilities(subject.reference)
    array = subject.reference.predict(_given(scored, _plain(scored))).class_probabilities
    _require_same(subject, array, before, "windows as view and as array")
    fit_rows, stop_rows = (replace(part, X=_source(subject, _plain(part))) for part in (train, stop))
    plain = subject.fitted(fit_rows, stop_rows)
    _require_same(subject, subject.probabilities(plain), before, "fits on a view with later bars and on plain windows")


def check_window_shape(subject: Subject) -> None:
    """Windows of another length are refused with both lengths, in `fit` and in `predict`; so is a plain matrix."""
    train, _, scored = subject.parts
    bars = subject.reference.lookback
    shorter = replace(train, X=_source(subject, _plain(train)[:, 1:]))
    for act in (
        partial(subject.create().fit, shorter),
        partial(subject.reference.predict, _given(scored, _plain(scored)[:, 1:])),
    ):
        error = _raised(subject, DataError, act)
        named = str(bars) in error.what and str(bars - 1) in error.what
        _require(subject, named, f"the error does not name {bars} and {bars - 1} bars: {error.what}")
    _raised(subject, DataError, lambda: subject.create().fit(replace(train, X=_newest(train))))


def check_column_order(subject: Subject) -> None:
    """Samples with the columns in another order give the same bytes; missing columns are refused by name."""
    scored = subject.parts[2]
    mirrored = _with_columns(scored, slice(None, None, -1))
    after = subject.reference.predict(mirrored).class_probabilities
    _require_same(subject, after, subject.probabilities(subject.reference), "columns in another order")
    fewer = _with_columns(scored, slice(1, None))
    error, first = _raised(subject, DataError, lambda: subject.reference.predict(fewer)), scored.feature_names[0]
    _require(subject, first in error.what, f"the error does not name the missing feature {first}: {error.what}")
    if subject.spec.needs_market:
        return
    unnamed = _raised(subject, DataError, lambda: subject.reference.predict(fewer.X))
    width = len(scored.feature_names)
    named = f"{width - 1})" in unnamed.what and f"{width} features" in unnamed.what
    _require(subject, named, f"the error does not name {width} and {width - 1} features: {unnamed.what}")


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
    train = subject.parts[0]
    first_half = np.arange(len(train)) < len(train) // 2
    contradicting = np.where(first_half, train.y, 2 - train.y).astype(np.int8)
    slopes = []
    for heavy in (first_half, ~first_half):
        weighted = replace(train, y=contradicting, weight=np.where(heavy, 10.0, 0.1))
        probabilities = subject.probabilities(subject.fitted(weighted))
        slopes.append(float(np.corrcoef(subject.signal, probabilities[:, LONG] - probabilities[:, SHORT])[0, 1]))
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
    planted = "f0" in importance  # the drift of a close shows in all prices
    _require(subject, first == "f0" or not planted, f"{first} is called the most important feature, f0 was planted")


def check_padding(subject: Subject) -> None:
    """Bars before the first one change nothing, whatever the table holds there; as an array they are NaN on the left."""
    scored, before = subject.parts[2], subject.probabilities(subject.reference)
    source = scored.X
    foreign = np.full((source.lookback, source.shape[2]), 1e6, np.float32)
    moved = WindowSource.padded(
        np.concatenate([foreign, source.table]),
        source.ends + len(foreign),
        source.lookback,
        source.firsts + len(foreign),
    )
    after = subject.reference.predict(replace(scored, X=moved)).class_probabilities
    _require_same(subject, after, before, "windows with other bars before their first")
    array = subject.reference.predict(_given(scored, _plain(scored))).class_probabilities
    _require_same(subject, array, before, "padded windows as view and as array")


def check_market(subject: Subject) -> None:
    """Rows without their label rules are refused by that name, in `fit` and in `predict`; so are plain arrays."""
    train, _, scored = subject.parts
    without = [replace(part, market=None) for part in (train, scored)]
    for act in (
        lambda: subject.create().fit(without[0]),
        lambda: subject.create().fit(_plain(train), train.y),
        lambda: subject.reference.predict(without[1]),
        lambda: subject.reference.predict(_plain(scored)),
    ):
        error = _raised(subject, UsageError, act)
        _require(subject, "market" in error.what, f"the error does not name the market: {error.what}")


def check_unknown_rule(subject: Subject) -> None:
    """A row whose ATR is not warm yet gets the class shares of the fit and changes no other row."""
    scored, before = subject.parts[2], subject.probabilities(subject.reference)
    market = scored.market
    assert market is not None
    cold = np.arange(len(scored)) % 7 == 3
    unknown = replace(market, atr=np.where(cold, np.nan, market.atr))
    after = subject.reference.predict(replace(scored, market=unknown)).class_probabilities
    _require_same(subject, after[~cold], before[~cold], "rows beside those without a rule")
    shares = subject.parts[0].class_counts() / len(subject.parts[0])
    _require(subject, bool((after[cold] == shares).all()), f"a row without a rule gets {after[cold][:1]}, not {shares}")


def check_drift(subject: Subject) -> None:
    """A drifting close moves P(long) - P(short): a rising one and a falling one are told apart."""
    model = subject.reference
    rising, falling = (_lean(model.predict(steady_bars(subject.spec, model.lookback, sign))) for sign in (1, -1))
    moved = abs(rising - falling)
    _require(subject, moved >= LEAST_MOVE, f"a rising and a falling close move P(long) - P(short) by {moved:.4f} only")


def check_barriers(subject: Subject) -> None:
    """The nearer barrier is the likelier one: a near upper barrier raises P(long) - P(short), a near lower one lowers it."""
    scored = subject.parts[2]
    market = scored.market
    assert market is not None
    near, far = 0.5 * market.k_up, 2.0 * market.k_up
    leans = [
        _lean(subject.reference.predict(replace(scored, market=replace(market, k_up=up, k_down=down))))
        for up, down in ((near, far), (far, near))
    ]
    _require(
        subject, leans[0] > leans[1], f"P(long) - P(short) is {leans} with the upper and with the lower barrier near"
    )


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
    check_safe_files,
    check_rows_alone,
    check_later_rows,
    check_memory_order,
    check_view_and_array,
    check_window_shape,
    check_column_order,
    check_bad_values,
    check_weights_in_fit,
    check_weights_in_stopping,
    check_missing_class,
    check_single_class,
    check_importance,
    check_padding,
    check_market,
    check_unknown_rule,
    check_drift,
    check_barriers,
)
OF_SEQUENCES: tuple[Check, ...] = (check_view_and_array, check_window_shape)
"""Checks of models that read windows."""
OF_PADDED: tuple[Check, ...] = (check_padding,)
"""Checks of models whose windows may reach back beyond the first bar."""
OF_MARKET: tuple[Check, ...] = (check_market, check_unknown_rule)
"""Checks of models that read each row's label rule; of those that do not train also `check_barriers`."""
OF_TRAINING: tuple[Check, ...] = (
    check_class_order,
    check_learns,
    check_metrics,
    check_other_seed,
    check_view_and_array,
    check_weights_in_fit,
    check_weights_in_stopping,
    check_missing_class,
    check_single_class,
)
"""Checks of models that learn from the rows that they are fitted on."""


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
    """The samples with one value changed that some row reads."""
    if isinstance(samples.X, WindowSource):
        return replace(samples, X=samples.X.with_table(_changed(samples.X.table, int(samples.X.ends[3]), value)))
    return replace(samples, X=_changed(samples.X, 3, value))


def _changed(table: np.ndarray, row: int, value: float) -> np.ndarray:
    changed = table.copy()
    changed[row, -1] = value
    return changed


def _plain(samples: Samples) -> np.ndarray:
    """The inputs as an array: `(n, F)` or `(n, lookback, F)`."""
    return np.asarray(samples.X)


def _given(samples: Samples, X: np.ndarray) -> Samples | np.ndarray:
    """Inputs as `predict` takes them: bare, or in Samples where the rows have a market."""
    return X if samples.market is None else replace(samples, X=X)


def _source(subject: Subject, windows: np.ndarray) -> WindowSource:
    return WindowSource.of_array(windows, padded=subject.spec.padded)


def _lean(output: PredictionOutput) -> float:
    """The mean of P(long) - P(short)."""
    probabilities = output.class_probabilities
    return float((probabilities[:, LONG] - probabilities[:, SHORT]).mean())


def _newest(samples: Samples) -> np.ndarray:
    """The features of each row at its own bar, `(n, F)`."""
    plain = _plain(samples)
    return plain[:, -1] if plain.ndim == 3 else plain


def _with_columns(samples: Samples, columns: slice) -> Samples:
    """The samples with some of their columns, or with all of them in another order."""
    if isinstance(samples.X, WindowSource):
        values: Any = samples.X.with_table(samples.X.table[:, columns])
    else:
        values = samples.X[:, columns]
    return replace(samples, X=values, feature_names=samples.feature_names[columns])


def _with_later_changed(samples: Samples, count: int) -> Samples:
    """Samples that differ after their first `count` rows, and after the last bar of those."""
    X, windows = samples.X, isinstance(samples.X, WindowSource)
    table, kept = (X.table, int(X.ends[count - 1]) + 1) if windows else (X, count)
    later = 5 - 3 * table[kept:] if samples.feature_names[0] == "f0" else 1.5 * table[kept:]  # prices stay prices
    changed = np.concatenate([table[:kept], later])
    market = None if samples.market is None else _with_later_prices(samples.market, count)
    return replace(samples, X=X.with_table(changed) if windows else changed, market=market)


def _with_later_prices(market: RowMarket, count: int) -> RowMarket:
    factor = np.where(np.arange(len(market.close)) < count, 1.0, 1.5)
    return replace(market, close=factor * market.close, atr=factor * market.atr)


def _holds_pickle(path: Path) -> bool:
    if zipfile.is_zipfile(path):  # as torch.save and skops write them
        with zipfile.ZipFile(path) as archive:
            return any(_is_pickle(archive.read(name)) for name in archive.namelist())
    return _is_pickle(path.read_bytes())


def _is_pickle(content: bytes) -> bool:
    if content.startswith(b"\x93NUMPY"):
        return b"|O" in content[:128]
    if not content.startswith(b"\x80"):
        return False
    try:
        return all(opcode is not None for opcode, *_ in pickletools.genops(content))
    except (ValueError, IndexError):
        return False
