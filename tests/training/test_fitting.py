"""Everything is fitted on the train part, and on rows of it that are never scored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from forecasters import forecasters

from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.features.sets import SetRules
from ohlcv_factory.training.fitting import fit_pipeline

__all__ = ["forecasters"]

MODELS = {"logistic": {}, "lightgbm": {"n_estimators": 30}}


def fitted_state(fit, probe):
    """What was fitted, as bytes: scaler, calibrator and the model's answers to fixed rows."""
    pipeline = fit.pipeline
    raw, calibrated, _ = pipeline.probabilities(probe)
    return pipeline.scaler.plain(), pipeline.calibrator.plain(), raw.tobytes(), calibrated.tobytes()


def with_garbage(container, rows):
    """The container with other features and labels in some rows."""
    table, labels = container.table.copy(), container.labels.label.copy()
    table[container.table_row[rows]] = 1000.0
    labels[rows] = (labels[rows] + 1) % 3
    return replace(container, table=table, labels=replace(container.labels, label=labels))


@pytest.mark.parametrize("model", MODELS)
def test_rows_of_val_test_and_gaps_change_nothing_that_is_fitted(container, config, model):
    settings = config(model_name=model, model=MODELS[model])
    probe = np.random.default_rng(0).normal(size=(50, len(fit_pipeline(settings, container).pipeline.columns)))
    probe = probe.astype(np.float32)
    outside = np.flatnonzero(container.part != 0)
    before = fitted_state(fit_pipeline(settings, container), probe)
    after = fitted_state(fit_pipeline(settings, with_garbage(container, outside)), probe)
    assert before == after


@pytest.mark.parametrize("model", MODELS)
def test_calibrate_rows_change_the_calibrator_only(container, config, model):
    settings = config(model_name=model, model=MODELS[model])
    fit = fit_pipeline(settings, container)
    train = container.rows("train", scored=True)
    calibrate = train[-fit.row_counts["calibrate"] :]
    other = fit_pipeline(settings, with_garbage(container, calibrate))
    probe = container.matrix(container.rows("val"), fit.pipeline.columns)
    assert fit.pipeline.scaler.plain() == other.pipeline.scaler.plain()
    assert np.array_equal(fit.pipeline.probabilities(probe)[0], other.pipeline.probabilities(probe)[0])
    assert fit.pipeline.calibrator != other.pipeline.calibrator


def test_inner_rows_are_counted_and_calibration_can_be_off(container, config):
    fit = fit_pipeline(config(), container)
    assert fit.row_counts["fit"] > 3000
    assert fit.row_counts["stop"] >= 500
    assert fit.row_counts["calibrate"] >= 500
    off = fit_pipeline(config(calibrate=False), container)
    assert off.pipeline.calibrator.is_identity
    assert "calibration is off" in off.notes


def test_refit_all_uses_more_rows_and_keeps_calibrator_and_metrics(container, config):
    first = fit_pipeline(config(model_name="lightgbm", model={"n_estimators": 30}), container)
    again = fit_pipeline(config(model_name="lightgbm", model={"n_estimators": 30}, refit="all"), container)
    probe = container.matrix(container.rows("val"), first.pipeline.columns)
    assert again.pipeline.calibrator == first.pipeline.calibrator
    assert again.metrics.val_loss == first.metrics.val_loss
    assert not np.array_equal(again.pipeline.probabilities(probe)[0], first.pipeline.probabilities(probe)[0])
    assert again.pipeline.model.config.fixed_rounds == (first.metrics.best_epoch or first.metrics.epochs_trained)


@pytest.mark.parametrize("change", [{"weighting": "none"}, {"balanced": True}, {"feature_set": "ohlcv_returns"}])
def test_every_choice_changes_the_fit(container, config, change):
    if change.get("feature_set") and not {"log_close_change"} & set(container.feature_names):
        change = {"feature_set": "boosting_optimal"}
    rows = container.rows("val")
    plain, changed = (fit_pipeline(settings, container).pipeline for settings in (config(), config(**change)))
    assert not np.array_equal(plain.predict(container, rows).raw, changed.predict(container, rows).raw)


def test_a_class_missing_in_the_training_rows_is_refused_unless_allowed(container, config):
    labels = container.labels.label.copy()
    labels[(container.part == 0) & (labels == 1)] = 2
    lacking = replace(container, labels=replace(container.labels, label=labels))
    with pytest.raises(DataError, match="a class is missing in the training rows of horizon 5"):
        fit_pipeline(config(), lacking)
    with pytest.warns(UserWarning, match="its probability is 0"):
        fit = fit_pipeline(config(allow_missing_class=True), lacking)
    raw = fit.pipeline.predict(lacking, lacking.rows("val")).raw
    assert raw.shape[1] == 3
    assert (raw[:, 1] == 0).all()


@pytest.mark.parametrize("method", ["correlation", "importance"])
def test_rows_outside_the_fit_rows_change_no_kept_column(container, config, method):
    own = {"all": SetRules(include=container.feature_names)}
    settings = config(feature_set="all", feature_sets=own, feature_selection=method)
    before = fit_pipeline(settings, container)
    train = container.rows("train", scored=True)
    outside = np.setdiff1d(np.arange(len(container)), train[: before.row_counts["fit"]])
    after = fit_pipeline(settings, with_garbage(container, outside))
    assert before.selection == after.selection
    assert before.pipeline.scaler.plain() == after.pipeline.scaler.plain()


def test_a_model_gets_the_kept_columns_only_and_the_note_says_how_many(container, config):
    own = {"all": SetRules(include=container.feature_names)}
    fit = fit_pipeline(config(feature_set="all", feature_sets=own, feature_selection="importance"), container)
    assert fit.pipeline.columns == fit.selection.kept
    assert len(fit.pipeline.columns) == len(container.feature_names) // 2
    assert len(fit.pipeline.scaler.centre) == len(fit.pipeline.columns)
    assert f"importance selection kept {len(fit.selection.kept)} of {len(container.feature_names)} columns" in fit.notes


def test_refit_keeps_the_columns_of_the_first_fit(container, config):
    fit = fit_pipeline(config(feature_selection="importance", refit="all"), container)
    assert fit.pipeline.columns == fit.selection.kept


def test_too_few_fit_rows_for_the_columns_are_noted(container, config):
    few = np.flatnonzero(container.part == 0)[::150]
    narrow = container.with_split(np.where(np.isin(np.arange(len(container)), few), 0, -1))
    fit = fit_pipeline(config(feature_set="boosting_optimal", calibrate=False), narrow)
    count = fit.row_counts["fit"]
    assert count < 10 * len(fit.pipeline.columns)
    expected = f"{count} training rows for {len(fit.pipeline.columns)} features: fewer than 10 rows per feature"
    assert any(note.startswith(expected) for note in fit.notes)


@pytest.mark.parametrize(
    ("change", "message", "where"),
    [
        ({"feature_set": "ohlcv_returns"}, "'momentum' reads the bars themselves, 'log_", "feature_set"),
        (
            {"feature_set": None, "feature_selection": "correlation"},
            "a selection would take apart",
            "feature_selection",
        ),
        (
            {"feature_set": None, "scaling": "robust"},
            "reads the bars themselves, which no scaler may change",
            "scaling",
        ),
    ],
)
def test_a_model_of_padded_windows_reads_whole_bars_only(forecasters, container, config, change, message, where):
    with pytest.raises(UsageError, match=message) as caught:
        fit_pipeline(config(**{"model_name": "momentum", **change}), container)
    assert caught.value.where == where


@pytest.mark.parametrize("scaling", ["none", "robust"])
def test_a_scaler_that_is_asked_for_takes_the_place_of_the_models_own(container, config, scaling):
    own, asked = fit_pipeline(config(), container).pipeline, fit_pipeline(config(scaling=scaling), container).pipeline
    assert (own.scaler.kind, asked.scaler.kind) == ("standard", scaling)
    rows = container.rows("val")
    assert (own.predict(container, rows).raw != asked.predict(container, rows).raw).any()
