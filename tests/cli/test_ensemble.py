from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from command_line import call, succeed
from quick_studies import quick_runs, quick_studies

from ohlcv_factory.cli.recipes import read_ensemble_recipe
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.studies.folds import TrainFolds
from ohlcv_factory.studies.settings import CrossValidationConfig

RECIPES = "configs/studies"
REAL = Path(__file__).parents[3] / "shared" / "data" / "open"
BITCOIN = REAL / "BTCUSDT_5min_2024-01_2024-05.parquet"
FOLDS = 3
LOOP = "max_epochs: 1, warmup_epochs: 0, windows_per_epoch: 2048"
SMALL = {
    "lightgbm": "{n_estimators: 30}",
    "lstm": f"{{preset: small, hidden_size: 16, num_layers: 1, lookback: 16, {LOOP}}}",
    "patchtst": f"{{preset: small, d_model: 16, d_ff: 32, n_layers: 1, n_heads: 2, lookback: 32, {LOOP}}}",
}


@pytest.fixture(autouse=True)
def quick():
    with quick_runs():
        yield


@pytest.fixture(scope="module")
def stacked(dataset, folder):
    """A stacking of two logistic regressions through the command line: text, and run folder."""
    with quick_studies():
        where = ("--dataset", dataset, "--output-dir", folder / "stacked" / "runs", "--horizon", "5", "--folds", "2")
        members = ("--members", "logistic,strict", "--set", "members.strict={model_name: logistic, model: {C: 0.001}}")
        answer = succeed("ensemble", "--method", "stacking", *where, *members)
    (run,) = (folder / "stacked" / "runs").iterdir()
    return answer.out, run


def test_the_text_shows_diversity_log_losses_scores_and_what_won(stacked):
    out, run = stacked
    assert out.startswith(f"run: {run}\n")
    for part in (
        "double fault",
        "plain average",
        "out of fold",
        "class_prior",
        "against the plain average",
        "Too little data",
    ):
        assert part in out


def test_the_run_is_one_like_any_other(stacked, bar_csv, tmp_path):
    _, run = stacked
    assert "stacking" in succeed("compare", run).out
    assert succeed("evaluate", run, "--part", "test", "--json").json["evaluation_metrics"]["part"] == "test"
    succeed("report", run, "--out", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "Ensemble" in page
    assert "Double fault" in page
    out = tmp_path / "predicted.parquet"
    succeed("predict", run, bar_csv, "--out", out)
    val = pl.read_parquet(run / "predictions" / "val_predictions.parquet").select("time", "raw_long", "p_long")
    both = val.join(pl.read_parquet(out), on="time", suffix="_now")
    assert len(both) == len(val)
    assert both["raw_long"].to_list() == both["raw_long_now"].to_list()
    assert both["p_long"].to_list() == both["p_long_now"].to_list()


def test_train_hands_an_ensemble_over(dataset, tmp_path):
    where = ("--dataset", dataset, "--output-dir", tmp_path, "--horizon", "5")
    answer = call("train", "--model", "stacking", *where)
    assert answer.code == 2
    assert "an ensemble needs at least 2 members, got []" in answer.err
    members = ("--set", "members=[logistic, random_forest]", "--set", "cv.folds=2", "--dry-run")
    out = succeed("train", "--model", "stacking", *where, *members).out
    assert "members: {'logistic': 'logistic', 'random_forest': 'random_forest'}" in out
    assert "fits: 6" in out


def test_resume_completes_an_ensemble_and_refuses_a_finished_one(stacked):
    _, run = stacked
    answer = call("resume", run)
    assert answer.code == 2
    assert "the run is finished" in answer.err


@pytest.mark.parametrize("name", ["stacking", "voting", "blending"])
def test_a_shipped_recipe_says_what_it_makes(pytestconfig, name):
    recipe = read_ensemble_recipe(pytestconfig.rootpath / RECIPES / f"{name}.yaml", None, {})
    assert recipe.model_name == name
    config = recipe.ensemble_config()
    assert len(config.members) >= 2
    config.scheme(config.head())


@pytest.mark.parametrize("name", ["voting", "blending"])
@pytest.mark.slow
def test_a_shipped_recipe_of_tables_runs(pytestconfig, name, dataset, tmp_path):
    recipe = pytestconfig.rootpath / RECIPES / f"{name}.yaml"
    where = ("--dataset", dataset, "--horizon", "5", "--output-dir", tmp_path)
    assert f"{name}_h5_" in succeed("ensemble", "--config", recipe, *where).out


def bars_seen(container, rows):
    """Which bars the scheduled labels of some rows look at, from each row's own bar on; bool over all bars."""
    time_ns = container.markets[0].bars.time_ns
    first = container.index["row"][rows]
    last = np.searchsorted(time_ns, container.labels.scheduled_end_ns[rows])
    edges = np.zeros(len(time_ns) + 1, dtype=np.int64)
    np.add.at(edges, first, 1)
    np.add.at(edges, last + 1, -1)
    return np.cumsum(edges)[:-1] > 0


def check_spans_of_every_fold(run, container, lookbacks):
    """No member's probability comes from a model whose training labels look at a bar that the label of its row looks at.

    The rows are those that each fold says it was fitted on (by their digest) and has predicted.
    """
    times = {time: row for row, time in enumerate(container.index["time_ns"].tolist())}
    for name, lookback in lookbacks.items():
        folds = TrainFolds.of(container, CrossValidationConfig(folds=FOLDS), lookback)
        for fold in folds.folds:
            folder = run / "members" / name / "folds" / f"fold_{fold.number:02d}"
            part = folds.part(fold)
            assert read_json(folder / "manifest.json")["row_digest"] == part.row_digest()
            predicted = pl.read_parquet(folder / "predictions.parquet")["time"].dt.timestamp("ns").to_list()
            tested = np.array([times[time] for time in predicted])
            learnt = bars_seen(container, part.rows("train"))
            assert learnt.sum() > 10_000
            assert not (learnt & bars_seen(container, tested)).any(), (name, fold.number)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not REAL.is_dir(), reason="the real bars of ../shared/data are not here")
def test_four_families_are_stacked_on_real_bars(tmp_path):
    """Five months of raw 5-minute bars; few trees, and small networks with one epoch of 2048 windows."""
    pytest.importorskip("torch")
    succeed("data", "build", BITCOIN, "--out", tmp_path / "bitcoin", "--horizons", "20")
    where = (
        "--dataset",
        tmp_path / "bitcoin",
        "--horizon",
        "20",
        "--output-dir",
        tmp_path / "runs",
        "--folds",
        str(FOLDS),
    )
    members = ("--members", "lightgbm,lstm,patchtst,logistic")
    small = [part for name, value in SMALL.items() for part in ("--set", f"members.{name}.model={value}")]
    facts = succeed("ensemble", "--method", "stacking", *where, *members, *small, "--json").json
    covered = facts["ensemble"]["out_of_fold"]["rows"]
    assert covered["covered"] == covered["train"] > 20_000
    frame = pl.read_parquet(Path(facts["output_path"]) / "predictions" / "oof_members.parquet")
    assert frame["time"].is_unique().all()
    assert len(frame) == covered["train"]
    assert facts["ensemble"]["comparison"]["winner"]
    container = TimeSeriesDataContainer.from_dataset(tmp_path / "bitcoin", 20)
    assert sorted(frame["time"].dt.timestamp("ns").to_list()) == sorted(
        container.index["time_ns"][container.rows("train")].tolist()
    )
    lookbacks = {"lightgbm": 1, "lstm": 16, "patchtst": 32, "logistic": 1}
    check_spans_of_every_fold(Path(facts["output_path"]), container, lookbacks)
    succeed("predict", facts["output_path"], BITCOIN, "--last", "3")
