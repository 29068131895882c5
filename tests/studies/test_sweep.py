"""A sweep makes one run of every combination, keeps what is finished, and writes the same table whatever the order."""

from __future__ import annotations

import polars as pl
import pytest
from inline_executor import InlineExecutor, refuse_seed
from markets import COLUMNS, bar_file

from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.build import build_dataset
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.dataset.store import write_dataset
from ohlcv_factory.errors import LockedError, OutputError, UnknownNameError, UsageError
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.storage.ledger import Ledger
from ohlcv_factory.storage.locks import folder_lock
from ohlcv_factory.studies.finished_runs import find_runs, judged_together
from ohlcv_factory.studies.sweep import SweepConfig, plan_sweep, run_sweep
from ohlcv_factory.training import artifacts

QUICK = {
    "models": ["random_forest"],
    "horizons": [5],
    "training": {"feature_set": "neural_optimal"},
    "hyper_parameters": {"random_forest": {"n_estimators": 5}},
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    config = DatasetConfig(horizons=(5, 10), features=COLUMNS, embargo_days="auto")
    files = [bar_file(random_walk(2600, seed, beta=0.8, symbol=f"SYNTH_{seed}")) for seed in (1, 2)]
    return write_dataset(build_dataset(files, config), tmp_path_factory.mktemp("data") / "dataset", {})


@pytest.fixture(autouse=True)
def without_pictures(monkeypatch):
    monkeypatch.setattr(artifacts, "write_plots", lambda *_: None)


@pytest.fixture
def plan(dataset, tmp_path):
    """`plan(seeds=[1, 2])` plans a quick sweep with some settings changed."""

    def make(folder="study", data=dataset, **changes):
        return plan_sweep(SweepConfig.parse({**QUICK, **changes}), data, tmp_path / folder)

    return make


def swept(sweep, newest_first=False):
    with InlineExecutor(newest_first) as executor:
        return run_sweep(sweep, executor)


def test_every_combination_is_one_run_horizon_by_horizon(plan) -> None:
    sweep = plan(models=["random_forest", "logistic"], horizons=[], seeds=[1, 2], symbols=["each"])
    assert len(sweep.runs) == 2 * 2 * 2 * 2
    assert [(run.horizon, run.symbol, run.model, run.seed) for run in sweep.runs[:5]] == [
        (5, "SYNTH_1", "random_forest", 1),
        (5, "SYNTH_1", "random_forest", 2),
        (5, "SYNTH_1", "logistic", 1),
        (5, "SYNTH_1", "logistic", 2),
        (5, "SYNTH_2", "random_forest", 1),
    ]
    assert len({run.spec.id for run in sweep.runs}) == 16
    assert sweep.runs[-1].horizon == 10
    assert not sweep.folder.exists()


def test_a_plan_tells_rows_features_and_memory_of_each_run(plan) -> None:
    together, (first, second) = plan().runs[0], plan(symbols=["SYNTH_1", "SYNTH_2"]).runs
    assert together.symbol is None
    assert together.rows == first.rows + second.rows
    assert together.features == 4  # of the six columns the set takes four
    assert 0.6 < together.spec.memory_gb < 0.61  # the libraries, and next to nothing for 2,000 rows


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"models": []}, "a sweep needs models"),
        ({"models": ["logistic", "logistic"]}, "models: 'logistic' stands twice"),
        ({"models": ["logistik"], "hyper_parameters": {}}, "Unknown model 'logistik'. Did you mean 'logistic'"),
        ({"horizons": [7]}, "horizon 7 is not in this dataset"),
        ({"symbols": ["SYNTH_3"]}, "Unknown symbol 'SYNTH_3'"),
        ({"training": {"random_seed": 3}}, "training.random_seed: a sweep sets it"),
        ({"training": {"output_dir": "x"}}, "training.output_dir: the runs lie in the study"),
        ({"training": {"weightin": "none"}}, "weightin: unknown key; did you mean 'weighting'?"),
        ({"hyper_parameters": {"svm": {"C": 2}}}, "Unknown model 'svm'"),
        ({"hyper_parameters": {"random_forest": {"trees": 2}}}, "trees: unknown key"),
    ],
)
def test_what_no_run_could_obey_is_refused_before_any_work(plan, changes, words) -> None:
    with pytest.raises(UsageError) as caught:
        plan(**changes)
    assert words in caught.value.what


def test_the_tables_hold_one_row_per_run_and_compare_finds_the_runs(plan) -> None:
    outcome = swept(plan(seeds=[1, 2]))
    folder = outcome.sweep.folder
    table = pl.read_csv(folder / "scores.csv")
    assert table["seed"].to_list() == [1, 2]
    assert set(table["state"]) == {"FINISHED"}
    runs = find_runs([folder / "runs"])
    assert sorted(f"runs/{run.path.name}" for run in runs) == sorted(table["run"])
    stored = {f"runs/{run.path.name}": run.evaluation["classification"]["log_loss"] for run in runs}
    assert dict(zip(table["run"], table["log_loss"], strict=True)) == stored
    assert [run.evaluation["trials"]["count"] for run in runs] == [1, 1]  # a worker knows of its own run only
    together = {f"runs/{run.path.name}": run.evaluation for run in judged_together(runs, tried=2)}
    assert [together[name]["trials"]["count"] for name in table["run"]] == [2, 2]
    assert table["verdict"].to_list() == [together[name]["verdict"]["code"] for name in table["run"]]
    summary = read_json(folder / "summary.json")
    assert summary["counts"] == {"jobs": 2, "finished": 2, "found_finished": 0, "failed": 0, "repeated": 0}
    assert set(summary["runs"][0]["cost"]) == {"seconds", "cpu_seconds", "peak_memory_mb"}
    assert Ledger.in_folder(folder).count("fit") == 2


def test_the_table_has_the_same_bytes_whatever_the_order_of_the_jobs(plan) -> None:
    forward, backward = swept(plan("one", seeds=[1, 2])), swept(plan("two", seeds=[1, 2]), newest_first=True)
    one, two = (outcome.sweep.folder / "scores.csv" for outcome in (forward, backward))
    assert one.read_bytes() == two.read_bytes()


def test_a_sweep_that_grows_makes_only_the_new_runs(plan) -> None:
    swept(plan(seeds=[1]))
    larger = plan(seeds=[1, 2])
    assert larger.finished() == [True, False]
    assert swept(larger).counts == {"jobs": 2, "finished": 1, "found_finished": 1, "failed": 0, "repeated": 0}
    assert Ledger.in_folder(larger.folder).count("fit") == 2


def test_a_run_that_fails_is_told_and_the_others_are_made(plan, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        refuse_seed(patch, 2)
        outcome = swept(plan(seeds=[1, 2, 3]))
    assert (outcome.counts["finished"], outcome.counts["failed"]) == (2, 1)
    ((run, error),) = outcome.failures
    assert (run.seed, error["what"], error["exit_code"]) == (2, "row 3 is odd.", 65)
    states = pl.read_csv(outcome.sweep.folder / "scores.csv")["state"].to_list()
    assert states == ["FINISHED", "FAILED", "FINISHED"]
    mended = swept(plan(seeds=[1, 2, 3]))
    assert mended.counts == {"jobs": 3, "finished": 1, "found_finished": 2, "failed": 0, "repeated": 1}


def test_a_study_of_another_dataset_is_refused(plan, dataset, tmp_path) -> None:
    swept(plan())
    config = DatasetConfig(horizons=(5,), features=COLUMNS, embargo_days="auto")
    other = write_dataset(build_dataset([bar_file(random_walk(2600, 9))], config), tmp_path / "other", {})
    with pytest.raises(UsageError, match="this study began with another dataset"):
        swept(plan(data=other))


def test_a_folder_of_something_else_and_one_at_work_are_refused(plan, tmp_path) -> None:
    (tmp_path / "study").mkdir()
    with folder_lock(tmp_path / "study", "another"), pytest.raises(LockedError, match="a sweep is still at work"):
        swept(plan())
    (tmp_path / "study" / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="holds no sweep"):
        swept(plan())


def test_a_symbol_that_is_not_there_names_the_nearest(plan) -> None:
    with pytest.raises(UnknownNameError, match=r"Did you mean 'SYNTH_[12]'"):
        plan(symbols=["SYNTH_"])
