"""Checks that fit or predict: does the model at hand know what it should not, and does it see what it should?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ohlcv_factory.audit.canary import CANARY_LIMIT, fit_and_predict, shuffled_label_z
from ohlcv_factory.audit.fitted_state import audit_fit, rows_after
from ohlcv_factory.audit.outcome import Outcome, by_violations, judged, skipped
from ohlcv_factory.audit.power import NULL_LIMIT, fitted_z, market_with, reading_all, small_network
from ohlcv_factory.audit.predict_path import PATH_ROWS, answers, differing, predict_path
from ohlcv_factory.audit.row_checks import dataset_of
from ohlcv_factory.audit.subject import VAL, Subject
from ohlcv_factory.audit.violation import Violation, overall, worst_difference
from ohlcv_factory.bars.instruments import BarrierRule
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.features import catalogue
from ohlcv_factory.labels.rules import LabelRule
from ohlcv_factory.studies.reproduction import environment_differences
from ohlcv_factory.training.artifacts import machine_facts
from ohlcv_factory.training.settings import TrainerConfig

NULL_BARS = 40_000
"""Bars of the random walk that the model at hand is fitted on; a quarter of them is predicted."""
PLANTED_BETA = 0.3
"""By how many standard deviations the planted signal moves the next bar."""
NULL_SEED, POWER_SEED = 1, 2
ENSEMBLE = "an ensemble is fitted on what the folds of its members predict: audit a run of each member"
FEATURE_RULE = BarrierRule(k_up=2.0, k_down=2.0, max_bars=20)
FEATURE_HORIZON = 10
"""Label rule of the market in which columns are held against noise without a dataset of their own."""


def path(subject: Subject) -> Outcome:
    """Raw bars to probabilities."""
    bundle = subject.bundle
    if bundle is None:
        return skipped("the folds keep no models: cv --keep-models")
    found = [one for market in subject.container.markets for one in predict_path(bundle, market.bars)]
    return by_violations(found, f"{PATH_ROWS} newest bars of each symbol")


def stored_predictions(subject: Subject) -> Outcome:
    """Predictions of the val part on disk against those of the bundle from raw bars."""
    bundle, stored = subject.bundle, subject.stored
    if bundle is None:
        return skipped("the folds keep no models: cv --keep-models")
    if stored is None:
        return skipped("no stored predictions of the val part")
    found, rows = [], 0
    for market in subject.container.markets:
        own = of_symbol(stored, market.bars.symbol)
        rows += len(own)
        last = int(own.index["row"].max(initial=0)) + 1
        complaint = "stored is another value than the bars give"
        again = answers(bundle, market.bars.head(last))
        found += list(differing(own, again, market.bars, "stored predictions", complaint))
        found += list(_missing(own, again, market.bars.symbol))
    return by_violations(found, f"{rows} stored rows")


def state(subject: Subject) -> Outcome:
    """Scaler and selection know the fit rows only, everything else the train part only."""
    if subject.kind == "features":
        return _state_of_columns(subject)
    if subject.config is None:
        return skipped(ENSEMBLE)
    container = subject.container
    found = audit_fit(subject.config, container, subject.fit)
    changed = len(rows_after(container, container.rows("train")))
    return by_violations(found, f"{changed} later rows changed, {subject.fit.row_counts['fit']} fit rows kept")


def determinism(subject: Subject) -> Outcome:
    """Fitted again and asked again: against what is stored, or of a model against a second fit."""
    if subject.config is None:
        return _asked_again(subject)
    rows = subject.container.rows(VAL)
    again = subject.fit.pipeline.predict(subject.container, rows)
    if subject.kind == "model":
        twice = replace(subject).fit.pipeline.predict(subject.container, rows)
        return by_violations(_differing_all(again, twice, "a second fit"), f"{len(rows)} rows, fitted twice")
    if subject.stored is None:
        return skipped("no stored predictions of the val part")
    device, now = subject.facts.get("device"), subject.fit.pipeline.model.device_used
    if device != now:
        return skipped(f"it was fitted on {device}, this machine has {now}")
    found = list(_differing_all(again, _like(subject.stored, subject.container), "the stored run"))
    environment = _environment(subject) if found else ""
    return by_violations(found, f"{len(rows)} rows, fitted again{environment}")


def canary(subject: Subject) -> Outcome:
    """Shuffled labels."""
    if subject.config is None:
        return skipped(ENSEMBLE)
    z = shuffled_label_z(fit_and_predict(subject.config), subject.container)
    return judged(z < CANARY_LIMIT, f"z {z:+.1f}, limit {CANARY_LIMIT:g}", z)


def null(subject: Subject) -> Outcome:
    """A random walk, with the columns, the label rule and the model at hand."""
    if subject.config is None and subject.kind != "features":
        return skipped(ENSEMBLE)
    z, absent = market_z(subject, 0.0, NULL_SEED)
    return judged(abs(z) < NULL_LIMIT, f"z {z:+.1f}, limit {NULL_LIMIT:g}{absent}", z)


def power(subject: Subject) -> Outcome:
    """The same on a market with a signal, which the volume shows."""
    if subject.config is None:
        return skipped(ENSEMBLE)
    model = subject.config.create_model()
    if not model.trains:
        return skipped("the model does not train: it cannot learn what was planted")
    if not any(catalogue.find(name).needs_volume for name in subject.columns):
        return skipped("none of the columns reads the volume, which shows the signal")
    z, absent = market_z(subject, PLANTED_BETA, POWER_SEED)
    return judged(z > NULL_LIMIT, f"z {z:+.1f}, at least {NULL_LIMIT:g}{absent}", z)


def market_z(subject: Subject, beta: float, seed: int) -> tuple[float, str]:
    """z-score of the subject's own fit on a synthetic market with its columns, and words for columns that are absent there.

    A network is fitted in a small size.
    """
    rule, horizon, seconds = _rule(subject)
    timeframes = subject.container.config.timeframes if subject.containers else DatasetConfig().timeframes
    container = market_with(
        subject.columns,
        rule,
        horizon,
        seed=seed,
        beta=beta,
        bars=NULL_BARS,
        bar_seconds=seconds,
        timeframes=timeframes,
    )
    absent = [name for name in subject.columns if name not in container.feature_names]
    words = f"; without {len(absent)} columns that a random walk cannot carry: {absent[0]} …" if absent else ""
    return fitted_z(_market_config(subject, container), container), words


def of_symbol(predictions: Predictions, symbol: str) -> Predictions:
    """The rows of one symbol."""
    code = predictions.symbols.index(symbol) if symbol in predictions.symbols else -1
    return predictions.take(predictions.index["symbol_code"] == code)


def _rule(subject: Subject) -> tuple[LabelRule, int, int]:
    """Label rule, horizon and bar length."""
    if not subject.containers:
        return FEATURE_RULE, FEATURE_HORIZON, subject.bars[0].bars.bar_seconds
    market = subject.container.markets[0]
    return market.rule, subject.container.horizon, market.bars.bar_seconds


def _market_config(subject: Subject, container: TimeSeriesDataContainer) -> TrainerConfig:
    config = subject.config or TrainerConfig(model_name="logistic", horizon=container.horizon)
    settings = {**config.model, **small_network(config.model_name)}
    changed = config.model_copy(update={"model": settings, "allow_missing_class": True})
    return changed if config.create_model().input_spec.padded else reading_all(changed, container)


def _state_of_columns(subject: Subject) -> Outcome:
    """The fit of a logistic regression with a selection among the columns."""
    found, rows = [], 0
    for each in subject.bars:
        container = dataset_of(each.bars, tuple(feature.name for feature in each.audited))
        settings = TrainerConfig(model_name="logistic", horizon=container.horizon, feature_selection="correlation")
        found += list(audit_fit(reading_all(settings, container), container))
        rows += len(container)
    return by_violations(found, f"{rows} rows, logistic regression with a selection")


def _asked_again(subject: Subject) -> Outcome:
    """Of an ensemble the answers alone: to fit it is to fit its members' folds."""
    bundle, stored = subject.bundle, subject.stored
    if bundle is None or stored is None:
        return skipped("no stored predictions of the val part")
    again = bundle.pipeline.predict(subject.container, subject.container.rows(VAL))
    found = _differing_all(again, _like(stored, subject.container), "the stored run")
    return by_violations(found, f"{len(again)} rows, asked again, not fitted: it is an ensemble")


def _differing_all(got: Predictions, expected: Predictions, other: str) -> Iterator[Violation]:
    """Differences of predictions of the same rows, bit by bit."""
    if len(got) != len(expected) or not np.array_equal(got.index["time_ns"], expected.index["time_ns"]):
        yield overall("determinism", "rows", "", f"{len(got)} rows, {other} has {len(expected)} or other ones")
        return
    for kind in ("raw", "probabilities", "decision"):
        now, then = (np.asarray(getattr(each, kind), dtype=np.float64).ravel() for each in (got, expected))
        worst = worst_difference(now, then)
        if worst is not None:
            words = f"{other} has another value: {now[worst]:.9g} for {then[worst]:.9g}"
            yield overall("determinism", kind, "", words, float(abs(now[worst] - then[worst])))


def _like(stored: Predictions, container: TimeSeriesDataContainer) -> Predictions:
    """Stored predictions in the order of a container's val rows."""
    names = np.array(stored.symbols)[stored.index["symbol_code"]]
    codes = np.array([container.symbols.index(name) if name in container.symbols else -1 for name in names])
    return stored.take(np.lexsort((stored.index["time_ns"], codes)))


def _missing(stored: Predictions, again: Predictions, symbol: str) -> Iterator[Violation]:
    absent = np.setdiff1d(stored.index["row"], again.index["row"])
    if len(absent):
        words = f"{len(absent)} stored rows cannot be predicted from the bars"
        yield overall("stored predictions", "rows", symbol, words, float(len(absent)))


def _environment(subject: Subject) -> str:
    """What is not as it was when the run was made: it may be why the bytes differ."""
    changed = environment_differences(subject.facts, machine_facts())
    return f"; not as it was: {', '.join(changed)}" if changed else ""
