from __future__ import annotations

import html
import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from additive_parts import MEMBERS, SETS, additive_market
from quick_studies import quick_runs, quick_studies

from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.storage.ledger import Ledger
from ohlcv_factory.studies import ensembling
from ohlcv_factory.studies.ensemble_settings import EnsembleConfig
from ohlcv_factory.studies.ensembling import EnsembleTrainer, train_ensemble
from ohlcv_factory.testing.power import NULL_LIMIT, NULL_MEAN_LIMIT, path_z, planted_market
from ohlcv_factory.training.bundle import ModelBundle
from ohlcv_factory.training.evaluation import evaluate_run
from ohlcv_factory.training.permutation import permutation_importance
from ohlcv_factory.training.trainer import Trainer

STUDENT_T = 2.132
"""Of four degrees of freedom at 0.95: both ends of a 90 % interval of a mean of five."""
TABULAR = {
    "logistic": {"feature_set": "neural_optimal"},
    "trees": {"model_name": "lightgbm", "model": {"n_estimators": 20, "learning_rate": 0.2}},
}
GRU = {"lookback": 8, "hidden_size": 8, "num_layers": 1, "max_epochs": 1, "warmup_epochs": 0, "windows_per_epoch": 512}
MIXED = {**TABULAR, "gru": {"feature_set": "neural_optimal", "model": {"preset": "small", **GRU}}}


def settings(folder, members, **changes):
    values = {"model_name": "stacking", "horizon": 5, "members": members, "cv": {"folds": 3}, **changes}
    return EnsembleConfig.parse({**values, "output_dir": str(folder / "experiments" / "runs")})


@pytest.fixture(autouse=True)
def quick():
    with quick_runs():
        yield


@pytest.fixture(scope="module")
def mixed(container, tmp_path_factory):
    """Stacking of a linear model, trees and a network."""
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("mixed")
    with quick_studies():
        return train_ensemble(settings(folder, MIXED), container)


def test_members_of_any_family_are_predicted_once_per_train_row(mixed, container):
    rows = container.rows("train")
    frame = pl.read_parquet(mixed.path / "predictions" / "oof_members.parquet")
    assert frame["time"].dt.timestamp("ns").to_list() == container.index["time_ns"][rows].tolist()
    assert mixed.ensemble["out_of_fold"]["rows"]["covered"] == len(rows)
    for name in MIXED:
        total = frame.select(pl.sum_horizontal(f"{name}.raw_{word}" for word in ("short", "neutral", "long")))
        assert np.allclose(total.to_numpy(), 1)


def test_a_bundle_of_bundles_predicts_raw_bars_to_the_same_bytes(mixed, container):
    predicted = ModelBundle.from_run(mixed.path).predict(container.markets[0].bars)
    on_val = np.isin(predicted.index["row"], container.index["row"][container.rows("val")])
    assert predicted.raw[on_val].tobytes() == mixed.predictions.raw.tobytes()
    assert predicted.probabilities[on_val].tobytes() == mixed.predictions.probabilities.tobytes()


def test_a_live_session_gives_the_bytes_of_the_batch(mixed, container):
    bars, bundle = container.markets[0].bars, ModelBundle.from_run(mixed.path)
    start = bundle.first_eligible + 5
    session = bundle.live(bars.slice(0, start))
    batch = bundle.predict(bars.slice(0, start + 2)).raw[-2:]
    live = [session.update(bars.slice(row, row + 1)).raw for row in (start, start + 1)]
    assert np.concatenate(live).tobytes() == batch.tobytes()


def test_the_run_can_be_evaluated_and_counts_its_fits(mixed):
    part = evaluate_run(mixed.path, "test")
    assert part.evaluation["model_name"] == "stacking"
    assert part.looks == 1
    fits = [entry for entry in Ledger.in_folder(mixed.path.parent.parent).entries() if entry["kind"] == "fit"]
    assert len(fits) == 1 + len(MIXED) * (3 + 1)  # the head; each member on three folds and on the train part
    assert mixed.evaluation["trials"]["count"] == 1 + len(MIXED)


def test_what_an_ensemble_reads_has_a_permutation_importance(mixed, container):
    pipeline = ModelBundle.from_run(mixed.path).pipeline
    found = permutation_importance(pipeline, container, container.rows("val"), seed=1, repeats=1)
    features = {each.name: each.increase for each in found if each.subject == "feature"}
    assert set(features) == set(pipeline.columns)
    assert all(increase != 0 for increase in features.values())
    assert [each.name for each in found if each.subject == "bars"] == ["0", "-1", "-3 to -2", "-7 to -4"]


def test_the_run_says_how_members_differ_and_what_won(mixed):
    facts = json.loads((mixed.path / "metrics" / "ensemble.json").read_text())
    assert [(pair["first"], pair["second"]) for pair in facts["out_of_fold"]["diversity"]] == [
        ("logistic", "trees"),
        ("logistic", "gru"),
        ("trees", "gru"),
    ]
    assert set(facts["comparison"]["log_loss"]) == {"ensemble", "plain average", *MIXED}
    assert facts["comparison"]["winner"] in {"ensemble", "plain average", *MIXED}
    assert mixed.ensemble["comparison"]["words"] in html.unescape(mixed._repr_html_())


def test_the_training_time_is_that_of_all_fits_of_the_members_and_the_head(mixed):
    def seconds(files, name):
        found = [json.loads(file.read_text())[name] for file in mixed.path.glob(files)]
        return len(found), sum(found)

    folds, in_folds = seconds("members/*/folds/*/time.json", "fit_seconds")
    finals, in_finals = seconds("members/*/final/metrics/training_metrics.json", "training_time_seconds")
    heads, in_head = seconds("metrics/training_metrics.json", "training_time_seconds")
    assert (folds, finals, heads) == (9, 3, 1)
    told = mixed.evaluation["training"]["training_time_seconds"]
    assert told == pytest.approx(in_folds + in_finals + in_head)


def test_averaged_fold_models_predict_new_rows_and_only_chosen_members_are_read(container, tmp_path):
    config = settings(
        tmp_path, TABULAR, model_name="voting", model={"voting": "fitted"}, final="average_folds", choose="greedy"
    )
    run = train_ensemble(config, container)
    chosen = run.ensemble["choice"]["chosen"]
    bundle = ModelBundle.from_run(run.path)
    assert list(bundle.pipeline.members) == run.ensemble["read_by_the_head"] == chosen
    assert set(bundle.training_range.columns) == set(bundle.pipeline.columns)
    assert len(bundle.predict(container.markets[0].bars)) == len(container)
    assert [len(models) for models in bundle.pipeline.members.values()] == [3] * len(chosen)
    said = [
        model.predict(container, container.rows("val")).probabilities for model in bundle.pipeline.members[chosen[0]]
    ]
    frame = pl.read_parquet(run.path / "predictions" / "val_members.parquet")
    assert np.allclose(frame[f"{chosen[0]}.p_long"].to_numpy(), np.mean(said, axis=0)[:, 2])


def test_one_ensemble_learns_from_several_symbols(two_symbols, tmp_path):
    run = train_ensemble(settings(tmp_path, TABULAR, cv={"folds": 2, "embargo_days": "auto"}), two_symbols)
    rows = two_symbols.rows("train")
    frame = pl.read_parquet(run.path / "predictions" / "oof_members.parquet")
    assert frame["symbol"].to_list() == np.array(two_symbols.symbols)[two_symbols.index["symbol_code"][rows]].tolist()
    assert frame["time"].dt.timestamp("ns").to_list() == two_symbols.index["time_ns"][rows].tolist()
    assert set(run.evaluation["classification"]["per_symbol"]) == set(two_symbols.symbols)


def test_the_head_of_blending_knows_the_holdout_alone(container, tmp_path):
    run = train_ensemble(settings(tmp_path, TABULAR, model_name="blending", model={"holdout": 0.3}, cv={}), container)
    train = container.rows("train")
    frame = pl.read_parquet(run.path / "predictions" / "oof_members.parquet")
    held_out = container.index["time_ns"][train][-len(frame) :]
    assert frame["time"].dt.timestamp("ns").to_list() == held_out.tolist()
    assert len(frame) == pytest.approx(0.3 * len(train), abs=1)


def test_the_heads_fit_reads_only_rows_that_were_predicted_out_of_fold(container, tmp_path, monkeypatch):
    """The labels of val and test are other ones, and nothing that was fitted is."""
    files = []
    for flip in (False, True):
        later = ~np.isin(np.arange(len(container)), container.rows("train"))
        label = np.where(later & flip, 2 - container.labels.label, container.labels.label).astype(np.int8)
        changed = replace(container, labels=replace(container.labels, label=label))
        run = train_ensemble(settings(tmp_path / str(flip), TABULAR), changed)
        files.append(
            [(run.path / "checkpoints" / name).read_bytes() for name in ("best_model.json", "calibrator.json")]
        )
    assert files[0] == files[1]


def test_a_run_that_was_cut_off_keeps_its_folds_and_gives_the_same_bytes(container, tmp_path, monkeypatch):
    whole = train_ensemble(settings(tmp_path / "whole", TABULAR), container)
    cut, done = EnsembleTrainer(settings(tmp_path / "cut", TABULAR)), []

    def cut_off(spec, data):
        done.append(spec)
        if len(done) == 5:
            raise KeyboardInterrupt
        return run_fold(spec, data)

    run_fold = ensembling.run_fold
    monkeypatch.setattr(ensembling, "run_fold", cut_off)
    with pytest.raises(KeyboardInterrupt):
        cut.run(container)
    assert json.loads((cut.folder / "state.json").read_text())["state"] == "INTERRUPTED"
    resumed = EnsembleTrainer(settings(tmp_path / "cut", TABULAR)).resume(cut.folder, container)
    assert len(done) == 5 + 2  # the fold that was cut, and the last one
    assert resumed.predictions.raw.tobytes() == whole.predictions.raw.tobytes()
    with pytest.raises(UsageError, match="the run is finished"):
        EnsembleTrainer(settings(tmp_path / "cut", TABULAR)).resume(cut.folder, container)


def test_jobs_may_be_done_elsewhere_and_a_lost_one_is_named(container, tmp_path):
    trainer = EnsembleTrainer(settings(tmp_path, TABULAR), run_folds=lambda specs: None)
    with pytest.raises(DataError, match=r"folds \[1, 2, 3\] of member 'logistic' left no whole result"):
        trainer.run(container)
    assert json.loads((trainer.folder / "state.json").read_text())["state"] == "FAILED"


def test_a_config_that_cannot_be_obeyed_leaves_no_folder(container, tmp_path):
    config = settings(tmp_path, TABULAR, model={"context_features": ["no_such_column"]})
    with pytest.raises(UsageError, match="Unknown feature 'no_such_column'"):
        train_ensemble(config, container)
    assert not (tmp_path / "experiments").exists()


def test_the_trainer_alone_says_which_command_to_use(container, config):
    with pytest.raises(UsageError) as caught:
        Trainer(config(model_name="stacking", feature_set=None)).run(container)
    assert caught.value.what.startswith("model 'stacking' learns from out-of-fold predictions of other models")
    assert "ohlcv-factory ensemble --method stacking" in caught.value.help


def losses_of(seed, tmp_path, **changes):
    """Log-losses on val where each member sees one of two additive parts."""
    config = settings(tmp_path / str(seed), MEMBERS, feature_sets=SETS, random_seed=seed, **changes)
    return train_ensemble(config, additive_market(seed)).ensemble["comparison"]


def test_stacking_adds_up_parts_that_each_member_sees_alone(tmp_path):
    found = losses_of(0, tmp_path)
    assert (found["winner"], found["best_single"]) == ("ensemble", "sees_first")
    assert found["log_loss"]["ensemble"] < found["log_loss"]["sees_first"] - 0.15


@pytest.mark.slow
@pytest.mark.parametrize("learner", ["logistic", "ridge", "lightgbm", "mlp"])
def test_stacking_beats_each_base_over_five_seeds(learner, tmp_path):
    found = [losses_of(seed, tmp_path, model={"meta_learner": learner})["log_loss"] for seed in range(5)]
    for member in MEMBERS:
        gains = np.array([losses[member] - losses["ensemble"] for losses in found])
        assert gains.mean() - STUDENT_T * gains.std(ddof=1) / np.sqrt(5) > 0


NULL_MEMBERS = {"logistic": {}, "lightgbm": {"model": {"n_estimators": 60, "learning_rate": 0.1}}}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("voting", {}),
        ("voting", {"voting": "fitted"}),
        ("stacking", {}),
        ("stacking", {"meta_learner": "lightgbm"}),
        ("blending", {}),
    ],
)
def test_a_random_walk_gives_no_ensemble_a_direction_and_the_tool_says_so(name, model, tmp_path):
    scores = []
    for seed in range(5):
        container = planted_market(seed, bars=24_000)
        cv = {} if name == "blending" else {"folds": 3}
        folder = tmp_path / str(seed)
        config = settings(folder, NULL_MEMBERS, horizon=20, model_name=name, model=model, random_seed=seed, cv=cv)
        run = train_ensemble(config, container)
        assert run.evaluation["verdict"]["code"] == "no edge found"
        assert not run.ensemble["comparison"]["recommended"]
        assert run.ensemble["comparison"]["words"].startswith("No edge found, so nothing is recommended")
        scores.append(path_z(run.predictions, container))
    assert max(map(abs, scores)) < NULL_LIMIT
    assert abs(np.mean(scores)) < NULL_MEAN_LIMIT
