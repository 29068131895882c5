from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from ohlcv_factory.evaluation.calibrators import Isotonic, Sigmoid, TemperatureBias
from ohlcv_factory.evaluation.decisions import ARGMAX, Threshold
from ohlcv_factory.labels.classes import NEUTRAL
from ohlcv_factory.splits.inner import halves
from ohlcv_factory.training.bundle import ModelBundle
from ohlcv_factory.training.evaluation import evaluate_run
from ohlcv_factory.training.fitting import fit_pipeline
from ohlcv_factory.training.settings import TrainerConfig
from ohlcv_factory.training.trainer import Trainer


def with_other_labels(container, rows):
    labels = container.labels.label.copy()
    labels[rows] = (labels[rows] + 1) % 3
    return replace(container, labels=replace(container.labels, label=labels))


def calibrate_rows(container, fit):
    """Rows of the calibrator and rows of the decision rule of a fit."""
    rows = container.rows("train", scored=True)[-fit.row_counts["calibrate"] :]
    earlier, later = halves(container.index["time_ns"][rows], container.labels.scheduled_end_ns[rows])
    return rows[earlier], rows[later]


@pytest.mark.parametrize("decision", ["threshold", "conformal"])
def test_calibrator_and_rule_are_fitted_on_different_halves(container, config, decision):
    settings = config(decision=decision)
    fit = fit_pipeline(settings, container)
    earlier, later = calibrate_rows(container, fit)
    assert fit.row_counts["decide"] == len(later) >= 200
    assert len(earlier) + len(later) < fit.row_counts["calibrate"]  # purged between
    first = fit_pipeline(settings, with_other_labels(container, earlier)).pipeline
    second = fit_pipeline(settings, with_other_labels(container, later)).pipeline
    assert first.calibrator != fit.pipeline.calibrator
    assert second.calibrator == fit.pipeline.calibrator
    if decision == "conformal":  # thresholds read profits, not labels
        assert second.rule != fit.pipeline.rule


def test_argmax_leaves_all_calibrate_rows_to_the_calibrator(container, config):
    fit = fit_pipeline(config(), container)
    assert fit.pipeline.rule is ARGMAX
    assert "decide" not in fit.row_counts
    _, later = calibrate_rows(container, fit)
    assert fit_pipeline(config(), with_other_labels(container, later)).pipeline.calibrator != fit.pipeline.calibrator


@pytest.mark.parametrize(
    ("method", "kind"), [("temperature", TemperatureBias), ("sigmoid", Sigmoid), ("isotonic", Isotonic)]
)
def test_the_calibrator_asked_for_is_fitted(container, config, method, kind):
    assert isinstance(fit_pipeline(config(calibration=method), container).pipeline.calibrator, kind)


def test_thresholds_know_no_bar_after_their_rows(container, config):
    settings = config(decision="threshold")
    rule = fit_pipeline(settings, container).pipeline.rule
    last = int(container.index["row"][container.part == 0].max())
    market = container.markets[0]
    bars = market.bars
    later = np.arange(len(bars)) > last
    changed = {name: np.where(later, 7.0, getattr(bars, name)) for name in ("open", "high", "low", "close")}
    other = replace(container, markets=(replace(market, bars=replace(bars, **changed)),))
    assert isinstance(rule, Threshold)
    assert fit_pipeline(settings, other).pipeline.rule == rule


def test_too_few_calibrate_rows_leave_argmax_and_say_so(container, config, monkeypatch):
    monkeypatch.setattr("ohlcv_factory.training.answers.MIN_DECISION_ROWS", 100_000)
    fit = fit_pipeline(config(decision="conformal"), container)
    plain = fit_pipeline(config(), container)
    assert fit.pipeline.rule is ARGMAX
    assert fit.pipeline.calibrator == plain.pipeline.calibrator
    assert any("too few calibrate rows for a decision rule" in note for note in fit.notes)


def test_refit_keeps_the_rule_of_the_first_fit(container, config):
    rules = [
        fit_pipeline(config(decision="conformal", refit=refit), container).pipeline.rule for refit in ("none", "all")
    ]
    assert rules[0] == rules[1]


@pytest.fixture(scope="module")
def conformal_run(container, tmp_path_factory):
    """A finished run that acts on conformal sets of 60 % coverage, and its configuration."""
    folder = tmp_path_factory.mktemp("conformal") / "runs"
    names = {"model_name": "logistic", "horizon": 5, "feature_set": "neural_optimal", "output_dir": folder}
    return Trainer(TrainerConfig(**names, decision="conformal", conformal_coverage=0.6)).run(container)


def test_a_run_keeps_its_sets_and_trades_single_directions_only(conformal_run):
    predictions = conformal_run.predictions
    alone = predictions.sets.sum(axis=1) == 1
    assert 0 < alone.mean() < 1
    assert (predictions.decision[~alone] == NEUTRAL).all()
    acted = np.flatnonzero(predictions.decision != NEUTRAL)
    assert predictions.sets[acted, predictions.decision[acted]].all()


def test_coverage_stands_beside_the_nominal_one(conformal_run):
    block = conformal_run.evaluation["decision"]
    assert block["kind"] == "conformal"
    scored = conformal_run.predictions.take(conformal_run.predictions.scored)
    held = scored.sets[np.arange(len(scored)), scored.truth].mean()
    assert block["sets"]["nominal"] == 0.6
    assert block["sets"]["coverage"] == pytest.approx(held)
    off = {name: abs(block[name]["coverage"] - 0.6) for name in ("sets", "adaptive_sets")}
    assert off["adaptive_sets"] < off["sets"] < 0.15  # 250 rows of overlapping labels calibrate


def test_raw_bars_and_live_bars_get_the_runs_own_sets_and_decisions(conformal_run, market):
    bundle = ModelBundle.from_run(conformal_run.path)
    predicted = bundle.predict(market)
    rows = np.searchsorted(predicted.index["row"], conformal_run.predictions.index["row"])
    np.testing.assert_array_equal(predicted.sets[rows], conformal_run.predictions.sets)
    np.testing.assert_array_equal(predicted.decision[rows], conformal_run.predictions.decision)
    session = bundle.live(market.head(len(market) - 3))
    live = [session.update(market.slice(row, row + 1)) for row in range(len(market) - 3, len(market))]
    assert np.concatenate([one.sets for one in live]).tolist() == predicted.sets[-3:].tolist()
    assert np.concatenate([one.decision for one in live]).tolist() == predicted.decision[-3:].tolist()


def test_a_later_part_is_decided_by_the_stored_rule(conformal_run, container, monkeypatch):
    monkeypatch.setattr("ohlcv_factory.training.evaluation.recorded_container", lambda *_: container)
    found = evaluate_run(conformal_run.path, "val").evaluation
    assert found["decision"] == json.loads(json.dumps(conformal_run.evaluation["decision"]))
    assert found["trading"]["num_trades"] == conformal_run.evaluation["trading"]["num_trades"]


def test_a_run_from_before_there_were_rules_takes_the_most_probable_class(finished, tmp_path):
    import shutil

    copy = tmp_path / "old"
    shutil.copytree(finished.path, copy)
    (copy / "checkpoints" / "decision.json").unlink()
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["files"] = [each for each in manifest["files"] if each["path"] != "checkpoints/decision.json"]
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert ModelBundle.from_run(copy).pipeline.rule is ARGMAX
