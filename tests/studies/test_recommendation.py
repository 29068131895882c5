from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.errors import InputMissingError
from ohlcv_factory.evaluation.comparison import Difference, Standing
from ohlcv_factory.evaluation.significance import Interval
from ohlcv_factory.studies import recommendation
from ohlcv_factory.studies.dataset_facts import Wishes
from ohlcv_factory.studies.recommendation import recommend, runs_on_these_rows
from ohlcv_factory.studies.selection_guide import selection_guide


@pytest.fixture
def guide(monkeypatch):
    """`guide(limit, **answers)`: the tree with another number of samples that are enough, and other models at some ends."""

    def change(limit=50_000.0, **answers):
        own = selection_guide()
        asked = {**own.questions, "enough_rows": own.questions["enough_rows"].model_copy(update={"above": limit})}
        ends = {
            name: each.model_copy(update={"models": answers[name]}) if name in answers else each
            for name, each in own.answers.items()
        }
        changed = own.model_copy(update={"questions": asked, "answers": ends})
        monkeypatch.setattr(recommendation, "selection_guide", lambda: changed)

    return change


@pytest.fixture(scope="module")
def rows(board_runs):
    """The rows that `board_runs["one_symbol"]` were trained on."""
    folder = board_runs["one_symbol"][0].parent.parent / "dataset"
    return TimeSeriesDataContainer.from_dataset(folder, 5, symbol="SYNTHA")


def test_the_first_possible_model_of_the_tree_is_chosen_with_a_recipe(container, guide):
    guide(little_data=("chronos_bolt", "logistic"))
    found = recommend(container, Wishes(checkpoint="nowhere/at-all"), seed=7)
    assert [each.is_possible for each in found.candidates] == [False, True]
    assert (found.chosen.model, found.reason) == ("logistic", "the first of the tree's models that can be had here")
    assert found.recipe == {
        "model_name": "logistic", "dataset": container.origin, "horizon": 5, "random_seed": 7, "model": {},
    }  # fmt: skip


def test_where_no_model_of_the_tree_can_be_had_the_baseline_is_left(container, guide):
    guide(little_data=("chronos_bolt",))
    found = recommend(container, Wishes(checkpoint="nowhere/at-all"))
    assert found.chosen.model == "logistic"
    assert found.reason == "none of chronos_bolt can be had here; logistic always can"
    assert "The matrix says nothing of logistic." in found.warnings


def test_the_tree_is_called_an_opinion_with_what_this_way_rests_on(container, guide):
    guide(little_data=("logistic",))
    first = recommend(container).warnings[0]
    assert first == (
        "The tree and the matrix are the specification's opinion, which names no source. This way through it rests on: "
        "below 50,000 samples a pre-trained or a linear model does better than one that has more to learn."
    )


def test_what_the_tree_holds_for_too_slow_is_measured(container, guide):
    guide(0.0, quick=("logistic",), feature_attention=("random_forest",), long_memory=("logistic",),
          known_in_advance=("logistic",), temporal=("logistic",))  # fmt: skip
    wanted = recommend(container, Wishes(latency_ms=999.0))
    told = next(each for each in wanted.warnings if each.startswith("Measured against that"))
    assert "answer in time on this machine too: random_forest " in told
    assert wanted.chosen.model == "logistic"
    assert not any(each.startswith("Measured against") for each in recommend(container).warnings)


def test_compared_runs_on_the_same_rows_outrank_the_tree(rows, board_runs, guide):
    guide(little_data=("svm",))
    found = recommend(rows, runs=board_runs["one_symbol"], by="log_loss")
    best = found.compared.runs[0]
    assert (found.chosen.model, found.chosen.source) == (best.manifest["model"], "runs")
    assert found.reason == "best by log_loss of 2 finished runs on these rows, which outrank the tree"
    assert found.recipe["model_name"] == best.manifest["model"]
    assert found.recipe["dataset"] == rows.origin


@pytest.mark.parametrize(("interval", "stays"), [(Interval(-0.2, 0.1), True), (Interval(-0.2, -0.1), False)])
def test_a_model_of_the_tree_stays_unless_a_run_is_better_beyond_chance(
    rows, board_runs, guide, monkeypatch, interval, stays
):
    compared = runs_on_these_rows(rows, board_runs["one_symbol"], "sharpe_ratio")
    told = (Standing(1.0, 1, (1, 2), None), Standing(0.9, 2, (1, 2), Difference(-0.1, interval)))
    monkeypatch.setattr(recommendation, "runs_on_these_rows", lambda *_: replace(compared, standings=told))
    best, second = (run.manifest["model"] for run in compared.runs)
    guide(little_data=(second,))
    found = recommend(rows, runs=board_runs["one_symbol"])
    assert found.chosen.model == (second if stays else best)
    assert ("no finished run on these rows is better beyond chance" in found.reason) == stays


def test_runs_of_one_model_compare_nothing(rows, board_runs, guide):
    guide(little_data=("random_forest",))
    found = recommend(rows, runs=board_runs["one_symbol"][:1])
    assert (found.chosen.model, found.chosen.source) == ("random_forest", "tree")
    assert "The finished runs on these rows are of one model: they compare nothing." in found.warnings


def test_runs_on_other_rows_say_nothing(rows, board_runs):
    for place in ("other_symbol", "other_horizon", "two_symbols"):
        assert runs_on_these_rows(rows, board_runs[place], "sharpe_ratio") is None


def test_an_experiments_folder_stands_for_its_runs(rows, board_runs, tmp_path):
    for path in board_runs["one_symbol"]:
        shutil.copytree(path, tmp_path / "runs" / path.name)
    assert len(runs_on_these_rows(rows, [tmp_path], "sharpe_ratio").runs) == 2


def test_a_place_without_a_finished_run_is_refused(rows, tmp_path):
    with pytest.raises(InputMissingError, match="no finished run"):
        recommend(rows, runs=[tmp_path])


def test_no_edge_in_any_run_is_said(rows, board_runs, guide):
    guide(little_data=("logistic",))
    found = recommend(rows, runs=board_runs["one_symbol"])
    no_edge = all(run.evaluation["verdict"]["code"] != "edge" for run in found.compared.runs)
    assert any("shows an edge" in each for each in found.warnings) == no_edge
