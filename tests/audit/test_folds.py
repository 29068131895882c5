"""A canary per leak: the tested rows of a fold become garbage, and nothing that the fold fits may change by one bit."""

from __future__ import annotations

import numpy as np
import pytest
from markets import COLUMNS, bar_file

from ohlcv_factory.audit.fitted_state import FittedState, audit_folds, fitted_state
from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.build import build_dataset
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.scaling import Scaler
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.evaluation.calibration import fit_temperature
from ohlcv_factory.evaluation.conformal import fit_conformal
from ohlcv_factory.features.selection import fit_selection
from ohlcv_factory.features.sets import SetRules
from ohlcv_factory.models.registry import ModelRegistry, builtin_entries
from ohlcv_factory.studies.folds import TrainFolds
from ohlcv_factory.studies.settings import CrossValidationConfig
from ohlcv_factory.testing.models import small_settings
from ohlcv_factory.training.fitting import fit_pipeline, inner_parts
from ohlcv_factory.training.settings import TrainerConfig

ONE_OF_EACH_FAMILY = ("lightgbm", "chronos_bolt", "logistic", "dlinear", "lstm", "s4", "patchtst")
ROUNDS = {"n_estimators": 30, "early_stopping_rounds": 5}
QUICK = {
    "lightgbm": ROUNDS,
    "xgboost": ROUNDS,
    "catboost": {"iterations": 30, "early_stopping_rounds": 5},
    "random_forest": {"n_estimators": 10},
    "svm": {"max_rows": 600},
}
HEAD = {"mode": "frozen", "lookback": 32, "max_epochs": 1, "batch_size": 256}
"""Foundation models by default train nothing; a head on a frozen one does."""
QUICK_LOOP = {"batch_size": 256, "max_epochs": 2, "windows_per_epoch": 512}
CV = CrossValidationConfig(folds=4, purge_windows=True)


@pytest.fixture(scope="module")
def container():
    """Enough rows for stop and calibrate rows in each fold, so that there is something to leak into."""
    config = DatasetConfig.parse(
        {
            "horizons": [5],
            "features": [*COLUMNS, "log_return_1"],
            "embargo_days": "auto",
            "barriers": {5: {"k_up": 2.0, "k_down": 2.0}},
        }
    )
    return TimeSeriesDataContainer.from_built(build_dataset([bar_file(random_walk(8000, 7, beta=0.8))], config), 5)


def config_of(model, container, **more):
    values = {"model_name": model, "horizon": 5}
    if ModelRegistry.entry(model).family == "foundation":  # these read the bars themselves
        return TrainerConfig(**values, model=HEAD, **more)
    small = small_settings(model)
    settings = QUICK.get(model) or {**small, **(QUICK_LOOP if small else {})}
    every = {"all": SetRules(include=container.feature_names)}
    return TrainerConfig(**values, model=settings, feature_set="all", feature_sets=every, **more)


def first_fold(container):
    """The folds, the second one, which has rows to learn from on both sides, and what it sees."""
    folds = TrainFolds.of(container, CV, lookback=16)
    return folds, folds.folds[1], folds.part(folds.folds[1])


def needs(model):
    entry = ModelRegistry.entry(model)
    return pytest.mark.skipif(not entry.installed, reason=f"{model} needs {entry.requires}")


def cases():
    """Ensembles are not among them: they are fitted on what the folds of their members predict, not in a fold."""
    for name, entry in ModelRegistry.entries().items():
        if entry.family == "ensemble":
            continue
        if entry.family == "ensemble":  # its members are audited here, what it is fed in tests/studies/test_members.py
            continue
        ordinary = name in ONE_OF_EACH_FAMILY
        yield pytest.param(
            name, marks=[needs(name), *([] if ordinary else [pytest.mark.slow])], id=f"{entry.family} {name}"
        )


def test_every_family_is_there():
    families = {ModelRegistry.entry(name).family for name in ONE_OF_EACH_FAMILY}
    assert families == {entry.family for entry in builtin_entries().values()} - {"ensemble"}


def test_there_is_something_to_leak_into(container):
    _, _, part = first_fold(container)
    inner = inner_parts(part, part.rows("train", scored=True))
    assert min(len(inner.fit), len(inner.stop), len(inner.calibrate)) >= 500


@pytest.mark.parametrize("model", list(cases()))
def test_nothing_that_a_fold_fits_knows_the_rows_that_it_tests(model, container, request):
    if ModelRegistry.entry(model).family == "foundation":
        request.getfixturevalue("shelf")
    assert list(audit_folds(config_of(model, container), container, CV, numbers=[2])) == []


@pytest.mark.parametrize("selection", ["correlation", "importance"])
def test_the_columns_that_a_fold_selects_know_nothing_either(selection, container):
    config = config_of("logistic", container, feature_selection=selection)
    assert list(audit_folds(config, container, CV, numbers=[2])) == []


@pytest.mark.parametrize("decision", ["threshold", "conformal"])
def test_the_rule_that_a_fold_decides_by_knows_nothing_either(decision, container):
    config = config_of("logistic", container, decision=decision)
    _, _, part = first_fold(container)
    assert fit_pipeline(config, part).pipeline.rule.kind == decision
    assert list(audit_folds(config, container, CV, numbers=[2])) == []


def caught(leaky, container):
    """What the audit says of a fit that sees the tested rows of a fold."""
    folds, fold, part = first_fold(container)
    return {violation.feature for violation in fitted_state(leaky, part, folds.tested(fold))}


def test_a_scaler_that_sees_them_is_caught(container):
    def leaky(part):
        rows = np.flatnonzero(part.part >= 0)
        scaler = Scaler.fit("standard", part.matrix(rows, part.feature_names))
        return FittedState(part.feature_names, {"centre": scaler.centre, "scale": scaler.scale})

    assert caught(leaky, container) <= set(container.feature_names)
    assert caught(leaky, container)


def test_a_selection_that_sees_them_is_caught(container):
    def leaky(part):
        rows = np.flatnonzero(part.part >= 0)
        X, y = part.matrix(rows, part.feature_names), part.labels.label[rows]
        return FittedState(fit_selection("correlation", X, y, part.feature_names, seed=0).kept)

    assert caught(leaky, container)


def test_a_calibrator_that_is_fitted_on_them_is_caught(container):
    config = config_of("logistic", container)

    def leaky(part):
        pipeline = fit_pipeline(config, part).pipeline
        rows = part.rows("val", scored=True)
        calibrator = fit_temperature(pipeline.predict(part, rows).raw, part.labels.label[rows])
        return FittedState(pipeline.columns, {}, {"calibrator": np.array([calibrator.temperature, *calibrator.bias])})

    assert caught(leaky, container) == {"calibrator"}


def test_a_decision_rule_that_is_fitted_on_them_is_caught(container):
    config = config_of("logistic", container)

    def leaky(part):
        pipeline = fit_pipeline(config, part).pipeline
        rule = fit_conformal(*scored_answers(pipeline, part), 0.9)
        decided = rule.decide(pipeline.predict(part, part.rows("train")).probabilities)
        return FittedState(pipeline.columns, {}, {"decision rule": decided})

    assert caught(leaky, container) == {"decision rule"}


def scored_answers(pipeline, part):
    """Probabilities and truth of the tested rows."""
    rows = part.rows("val", scored=True)
    return pipeline.predict(part, rows).probabilities, part.labels.label[rows]


def test_early_stopping_on_them_is_caught(container):
    pytest.importorskip("lightgbm")
    config = config_of("lightgbm", container)

    def leaky(part):
        model = config.create_model()
        train, stop = (part.samples(part.rows(name, scored=True)) for name in ("train", "val"))
        metrics = model.fit(train, stop)
        return FittedState((), {}, {"best round": np.array([metrics.best_epoch, metrics.val_loss])})

    assert caught(leaky, container) == {"best round"}


def test_a_model_that_learns_from_them_is_caught(container):
    config = config_of("logistic", container)
    folds, fold, part = first_fold(container)
    wide = np.where(part.part == 1, 0, part.part)

    def leaky(given):
        pipeline = fit_pipeline(config, given.with_split(wide)).pipeline
        answers = pipeline.predict(given, given.rows("train"))
        return FittedState((), {}, {"model": answers.raw.ravel()})

    found = {violation.feature for violation in fitted_state(leaky, part, folds.tested(fold))}
    assert found == {"model"}
