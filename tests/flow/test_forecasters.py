"""Forecasters with a long context and the row's own barriers: the same bytes in the run, from raw bars, and bar by bar."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from forecasters import forecasters
from markets import COLUMNS, bar_file

from ohlcv_factory.bars.load import read_bars
from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.build import build_dataset
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.dataset.store import write_dataset
from ohlcv_factory.training.bundle import ModelBundle
from ohlcv_factory.training.evaluation import evaluate_run
from ohlcv_factory.training.fitting import fit_pipeline
from ohlcv_factory.training.plan import run_plan
from ohlcv_factory.training.settings import TrainerConfig
from ohlcv_factory.training.trainer import Trainer

__all__ = ["forecasters"]

BARS, ROLL = 3200, 2700
BARRIERS = {5: {"k_up": 2.0, "k_down": 1.5, "max_bars": 8}}
DATASET = {"horizons": [5], "features": COLUMNS, "embargo_days": "auto", "barriers": BARRIERS, "timeframes": []}
CONTEXT = {"gaussian_walk": 2600, "momentum": 700}
"""Bars of context, more than warm-up and history: the first rows are padded, for the first model also those of val."""


def market(seed=7, symbol="SYNTH"):
    return random_walk(BARS, seed, symbol=symbol)


def rolled():
    """A market that a dearer contract quotes from a bar in its val part on."""
    bars, later = market(), np.arange(BARS) >= ROLL
    prices = {name: np.where(later, 1.25, 1.0) * getattr(bars, name) for name in ("open", "high", "low", "close")}
    return replace(bars, **prices, contract=later.astype(np.int32), contract_names=("H", "M"))


def contained(*bars, **changed):
    """A dataset without any raw column: padded windows take theirs from the bars."""
    return TimeSeriesDataContainer.from_bars(bars, horizon=5, config=DatasetConfig.parse({**DATASET, **changed}))


def settings(model, tmp_path, lookback=None, **changed):
    hyper_parameters = {"lookback": lookback or CONTEXT[model]}
    return TrainerConfig(model_name=model, horizon=5, output_dir=tmp_path / "runs", model=hyper_parameters, **changed)


def trained(container, model, tmp_path, **changed):
    """Val predictions of a run, and the bundle that it left."""
    result = Trainer(settings(model, tmp_path, **changed)).run(container)
    return result.predictions, ModelBundle.from_run(result.path)


def assert_same(predicted, own):
    """Predictions of the run, `own`, are among those from raw bars, byte for byte."""
    rows = np.searchsorted(predicted.index["row"], own.index["row"])
    assert np.array_equal(predicted.index["time_ns"][rows], own.index["time_ns"])
    assert predicted.raw[rows].tobytes() == own.raw.tobytes()
    assert predicted.probabilities[rows].tobytes() == own.probabilities.tobytes()


def live(bundle, bars, rows):
    session = bundle.live(bars.head(rows.start))
    return np.concatenate([session.update(bars.slice(row, row + 1)).raw for row in rows])


@pytest.fixture(scope="module", params=["gaussian_walk", "momentum"])
def model(forecasters, request):
    return request.param


@pytest.fixture(scope="module")
def container():
    return contained(market())


@pytest.fixture(scope="module")
def run(container, model, tmp_path_factory):
    return trained(container, model, tmp_path_factory.mktemp("forecasters"))


def test_the_raw_file_gives_the_runs_own_bytes(run, container, tmp_path):
    own, bundle = run
    market().frame().write_csv(tmp_path / "SYNTH.csv")
    predicted = bundle.predict(read_bars(tmp_path / "SYNTH.csv").bars)
    assert len(predicted) == len(container)
    assert_same(predicted, own)
    assert_same(predicted, bundle.pipeline.predict(container, np.arange(len(container))))
    assert np.isfinite(predicted.raw).all()
    assert bundle.pipeline.lookback > bundle.first_eligible + 1


def test_a_live_session_gives_the_same_bytes_bar_by_bar(run, model):
    bundle, bars = run[1], market()
    predicted = bundle.predict(bars)
    for start in (bundle.first_eligible, CONTEXT[model] - 2, BARS - 4):  # padded, on the border, of whole windows
        first = start - bundle.first_eligible
        assert live(bundle, bars, range(start, start + 4)).tobytes() == predicted.raw[first : first + 4].tobytes()


def test_later_bars_change_no_earlier_prediction(run):
    bundle, bars, cut = run[1], market(), BARS - 300
    later = np.where(np.arange(BARS) < cut, 1.0, 1.5)
    changed = replace(bars, **{name: later * getattr(bars, name) for name in ("open", "high", "low", "close")})
    before, after = (bundle.predict(each).raw[:-300] for each in (bars, changed))
    assert before.tobytes() == after.tobytes() == bundle.predict(bars.head(cut)).raw.tobytes()


def test_each_of_two_symbols_has_its_own_context_and_rule(model, tmp_path):
    both = (market(symbol="SYNTH_A"), market(3, "SYNTH_B").head(BARS - 200))
    container = contained(*both)
    own, bundle = trained(container, model, tmp_path)
    for code, bars in enumerate(both):
        of_symbol = own.take(np.flatnonzero(own.index["symbol_code"] == code))
        predicted = bundle.predict(bars)
        assert len(of_symbol) > 300
        assert_same(predicted, of_symbol)
        first = bundle.pipeline.predict(container, np.flatnonzero(container.index["symbol_code"] == code)[:20])
        assert_same(predicted, first)


@pytest.mark.parametrize("handling", ["adjust", "cut"])
def test_a_rolled_series_has_one_context_or_one_for_each_contract(model, tmp_path, handling):
    bars, cut = rolled(), {"history_bars": 0} if handling == "cut" else {}
    container = contained(bars, rolls={"handling": handling}, **cut)
    own, bundle = trained(container, model, tmp_path)
    predicted = bundle.predict(bars)
    assert_same(predicted, own)
    after = predicted.index["row"] >= ROLL
    rows = predicted.index["row"][after][:3]
    assert live(bundle, bars, range(rows[0], rows[0] + 3)).tobytes() == predicted.raw[after][:3].tobytes()
    calm = np.where(np.arange(BARS) < ROLL, 1 + 0.1 * np.sin(np.arange(BARS)), 1.0)
    other = replace(bars, **{name: calm * getattr(bars, name) for name in ("open", "high", "low", "close")})
    unmoved = bundle.predict(other).raw[after].tobytes() == predicted.raw[after].tobytes()
    assert unmoved == (handling == "cut")


def test_rows_without_a_warm_atr_after_a_roll_get_the_class_shares_of_the_fit(model, tmp_path):
    container = contained(rolled())
    own, bundle = trained(container, model, tmp_path)
    fresh = (own.index["row"] >= ROLL) & (own.index["row"] < ROLL + 14)
    shares = np.array(bundle.pipeline.model.class_shares)
    assert fresh.sum() == 14
    assert not own.labelled[fresh].any()
    assert (own.raw[fresh] == shares).all()
    assert (own.raw[~fresh] != shares).any(axis=1).all()


def test_the_context_over_a_roll_is_on_one_scale_and_the_barriers_are_the_contracts(container, model):
    through, rows = contained(rolled()), np.flatnonzero(container.index["row"] == ROLL + 20)
    windows = [each.padded_windows(rows, ("close",), 100)[0] for each in (through, container)]
    np.testing.assert_allclose(windows[0], windows[1], rtol=1e-3)
    dearer, quoted = through.row_market(rows), container.row_market(rows)
    assert dearer.close / quoted.close == pytest.approx(1.25)
    assert dearer.atr / quoted.atr == pytest.approx(1.25, rel=0.2)


def test_a_fixed_horizon_has_its_threshold_at_prediction(forecasters, tmp_path):
    bars = market()
    container = contained(bars, label="fixed_horizon", theta=1.0, barriers={})
    own, bundle = trained(container, "gaussian_walk", tmp_path)
    assert bundle.labels.label_settings(5)["theta"] == 1.0
    assert_same(bundle.predict(bars), own)


def test_a_refit_and_a_plan_read_the_same_windows(container, model, tmp_path):
    config = settings(model, tmp_path, refit="all")
    raw = fit_pipeline(config, container).pipeline.predict(container, np.arange(5)).raw
    assert np.isfinite(raw).all()
    assert run_plan(config, container)["rows_val"] == len(container.rows("val"))


def test_stop_and_calibrate_rows_carry_their_rules_too(model, tmp_path):
    container = contained(random_walk(6000, 7))
    fit = fit_pipeline(settings(model, tmp_path, lookback=64), container)
    assert fit.row_counts["calibrate"] > 100
    assert np.isfinite(fit.metrics.val_loss)
    assert np.isnan(fit.metrics.train_loss) == (not fit.pipeline.model.trains)


def test_a_run_on_a_stored_dataset_is_evaluated_to_its_own_bytes(model, tmp_path):
    write_dataset(build_dataset([bar_file(rolled())], DatasetConfig.parse(DATASET)), tmp_path / "dataset", {})
    container = TimeSeriesDataContainer.from_dataset(tmp_path / "dataset", 5)
    result = Trainer(settings(model, tmp_path)).run(container)
    addendum = evaluate_run(result.path, "val").folder
    again = np.load(addendum / "predictions" / "val_probabilities.npy")
    assert again.tobytes() == result.predictions.probabilities.tobytes()
    assert_same(ModelBundle.from_run(result.path).predict(rolled()), result.predictions)
