from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from forecasters import forecasters
from markets import COLUMNS, bar_file

from ohlcv_factory.audit.fitted_state import FittedState, audit_fit, fitted_state, rows_not_fitted
from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.build import build_dataset
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.scaling import Scaler
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.features.selection import fit_selection
from ohlcv_factory.features.sets import SetRules
from ohlcv_factory.training import fitting
from ohlcv_factory.training.settings import TrainerConfig

__all__ = ["forecasters"]


@pytest.fixture(scope="module")
def container():
    """Enough bars for stop rows and calibrate rows, so that a calibrator is fitted."""
    barriers = {5: {"k_up": 2.0, "k_down": 2.0}}
    columns = [*COLUMNS, "log_return_1"]
    config = DatasetConfig.parse({"horizons": [5], "features": columns, "embargo_days": "auto", "barriers": barriers})
    return TimeSeriesDataContainer.from_built(build_dataset([bar_file(random_walk(9000, 7, beta=0.8))], config), 5)


@pytest.mark.parametrize("selection", ["none", "correlation", "importance"])
def test_a_fit_of_the_factory_knows_its_own_rows_only(container, selection):
    own = {"all": SetRules(include=container.feature_names)}
    config = TrainerConfig(
        model_name="logistic", horizon=5, feature_set="all", feature_sets=own, feature_selection=selection
    )
    assert list(audit_fit(config, container)) == []


def test_a_scaler_of_all_rows_is_caught_with_column_bar_and_size(container):
    def leaky(given):
        scaler = Scaler.fit("standard", given.features)
        return FittedState(given.feature_names, {"centre": scaler.centre, "scale": scaler.scale})

    rows = rows_not_fitted(container)
    violations = list(fitted_state(leaky, container, rows))
    assert len(violations) == 2
    for violation in violations:
        assert violation.feature in container.feature_names
        assert violation.bar == container.index["row"][rows[0]]
        assert violation.size > 100


def test_a_selection_of_all_rows_is_caught_with_the_column(container):
    def leaky(given):
        kept = fit_selection("correlation", given.features, given.labels.label, given.feature_names, seed=0).kept
        return FittedState(kept)

    violations = list(fitted_state(leaky, container, rows_not_fitted(container)))
    assert violations
    assert all("decide whether it is kept" in violation.complaint for violation in violations)


def test_the_rows_that_are_not_fitted_are_all_but_the_first_of_the_train_part(container):
    rows = rows_not_fitted(container)
    fit = np.setdiff1d(np.arange(len(container)), rows)
    assert (container.part[fit] == 0).all()
    assert len(fit) > 3000
    assert (container.part[rows] == 0).sum() >= 1000  # stop and calibrate


def test_a_fit_on_bars_and_label_rules_knows_its_own_rows_only(forecasters, container):
    config = TrainerConfig(model_name="momentum", horizon=5, model={"lookback": 300})
    assert list(audit_fit(config, container)) == []


def test_a_scaler_of_all_bars_is_caught(container):
    def leaky(given):
        windows = given.padded_windows(np.arange(len(given)), ("close",), 1)
        return FittedState(("close",), {"centre": windows.table.mean(axis=0)})

    (violation,) = fitted_state(leaky, container, rows_not_fitted(container))
    assert violation.feature == "close"


def of_all(container, **more):
    own = {"all": SetRules(include=container.feature_names)}
    return TrainerConfig(horizon=5, feature_set="all", feature_sets=own, **{"model_name": "logistic", **more})


def found_by_audit(config, container):
    return {violation.feature for violation in audit_fit(config, container)}


def test_a_refit_on_the_whole_train_part_is_no_leak(container):
    assert found_by_audit(of_all(container, refit="all"), container) == set()


def test_a_fit_whose_scaler_sees_all_rows_is_caught_by_column(container, monkeypatch):
    def leaky(model, given, rows, columns, read):
        return given.matrix(np.arange(len(given)), columns)

    monkeypatch.setattr(fitting, "_values", leaky)
    assert found_by_audit(of_all(container), container) & set(
        container.feature_names
    )  # of each figure the worst column


def test_a_fit_that_stops_early_on_its_calibrate_rows_is_caught(container, monkeypatch):
    pytest.importorskip("lightgbm")
    honest = fitting.inner_parts

    def leaky(given, rows):
        inner = honest(given, rows)
        return replace(inner, stop=inner.calibrate)

    monkeypatch.setattr(fitting, "inner_parts", leaky)
    assert found_by_audit(of_all(container, model_name="lightgbm", model={"n_estimators": 60}), container) >= {"curves"}


def test_a_fit_that_learns_from_held_out_rows_is_caught(container, monkeypatch):
    honest = TimeSeriesDataContainer.rows

    def leaky(self, part, *, scored=False):
        rows = honest(self, part, scored=scored)
        return np.concatenate([rows, honest(self, "val", scored=True)]) if part == "train" and scored else rows

    with monkeypatch.context() as patch:
        patch.setattr(fitting.TimeSeriesDataContainer, "rows", leaky)
        found = found_by_audit(of_all(container), container)
    assert "model" in found
