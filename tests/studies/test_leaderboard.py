"""Runs and leaderboards as a notebook shows them, read from two small runs."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import asdict, replace
from html import escape
from pathlib import Path

import numpy as np
import pytest
from board_runs import PLACES
from command_line import succeed

from ohlcv_factory import leaderboard
from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.errors import InputMissingError, UsageError
from ohlcv_factory.evaluation.trials import Trials, scaled_ratio
from ohlcv_factory.studies.comparison import ComparedGroup
from ohlcv_factory.studies.finished_runs import FinishedRun, Group, judged_together
from ohlcv_factory.studies.leaderboard import Leaderboard, SeedSpread, seed_spreads
from ohlcv_factory.training.settings import TrainerConfig
from ohlcv_factory.training.trainer import Trainer


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two logistic runs on the same rows, with a weak and a strong penalty."""
    config = DatasetConfig(horizons=(20,), features=("return_1", "rsi_14"), embargo_days="auto")
    container = TimeSeriesDataContainer.from_bars(random_walk(2500, 7, bar_seconds=3600), horizon=20, config=config)
    folder = tmp_path_factory.mktemp("experiments") / "runs"
    settings = [
        TrainerConfig(model_name="logistic", horizon=20, model={"C": c}, output_dir=folder) for c in (1.0, 1e-6)
    ]
    return [Trainer(each).run(container) for each in settings]


def test_a_run_shows_its_scores_the_baselines_its_verdict_and_its_folder(runs) -> None:
    html = runs[0]._repr_html_()
    assert html.startswith("<table><caption><b>logistic, horizon 20, part val</b></caption>")
    assert f"<td>{runs[0].evaluation['classification']['macro_f1']:.3f}</td>" in html
    assert all(f'<th scope="row">({name})</th>' in html for name in ("class_prior", "buy_and_hold"))
    assert escape(runs[0].evaluation["verdict"]["words"]) in html
    assert f"run: {runs[0].path}" in html


def test_a_leaderboard_takes_results_or_folders_and_puts_the_best_first(runs) -> None:
    by_result = leaderboard(*runs, by="macro_f1")
    by_folder = leaderboard(runs[0].path.parent, by="macro_f1")
    best = max(runs, key=lambda run: run.evaluation["classification"]["macro_f1"])
    assert by_result.runs[0].path == best.path
    assert [run.path for run in by_result.runs] == [run.path for run in by_folder.runs]
    assert str(by_result).splitlines()[0].startswith("horizon 20: logistic, macro_f1 0.")


def test_runs_are_compared_by_the_trials_behind_all_of_them_and_their_folders_keep_theirs(runs) -> None:
    assert [run.evaluation["trials"]["count"] for run in runs] == [1, 2]
    assert [run.evaluation["trials"]["count"] for run in leaderboard(*runs).runs] == [2, 2]
    assert FinishedRun.read(runs[0].path).evaluation["trials"]["count"] == 1
    first = leaderboard(runs[0]).runs[0]
    assert first.evaluation == FinishedRun.read(runs[0].path).evaluation


def test_the_same_settings_twice_are_one_trial_and_other_seeds_are_more(seeded) -> None:
    assert [run.evaluation["trials"]["count"] for run in seeded] == [1, 2, 3, 3, 4]
    ratios = [scaled_ratio(run.evaluation["trading"]) for run in seeded]
    assert ratios[2] == ratios[3]
    known = seeded[4].evaluation["trials"]
    assert known["known"] == 4
    assert known["spread"] == pytest.approx(np.var([*ratios[:3], ratios[4]], ddof=1), rel=1e-12)
    untold = [
        replace(run, evaluation={**run.evaluation, "trials": asdict(Trials())}) for run in leaderboard(*seeded).runs
    ]
    found = judged_together(untold)[0].evaluation["trials"]
    assert (found["count"], found["known"], found["spread"]) == (4, 4, pytest.approx(known["spread"], rel=1e-12))
    assert judged_together(untold, tried=9)[0].evaluation["trials"]["count"] == 9


@pytest.mark.parametrize("name", ["log_loss", "brier"])
def test_the_best_loss_is_the_lowest(runs, name):
    losses = [run.evaluation["classification"][name] for run in leaderboard(*runs, by=name).runs]
    assert losses[0] < losses[1]


def test_a_leaderboard_shows_each_run_once_and_the_baselines_below(runs) -> None:
    html = leaderboard(*runs)._repr_html_()
    assert html.startswith("<table><caption><b>SYNTH, horizon 20, part val, by sharpe_ratio</b></caption>")
    assert [html.count(f"<td>{run.path.name}</td>") for run in runs] == [1, 1]
    assert html.index('<th scope="row">(class_prior)</th>') > html.rindex('<th scope="row">logistic</th>')


def test_a_leaderboard_groups_symbols_and_horizons_and_shows_ranks_with_intervals(board_runs):
    board = leaderboard(board_runs["one_symbol"][0].parent, by="macro_f1")
    assert [(group.words, len(found.runs)) for group, found in board.groups.items()] == [
        ("SYNTHA, horizon 5", 2),
        ("SYNTHA, horizon 10", 2),
        ("SYNTHA, SYNTHB, horizon 5", 1),
        ("SYNTHB, horizon 5", 2),
    ]
    assert str(board).startswith("SYNTHA, horizon 5: ")
    html = board._repr_html_()
    for found in board.groups.values():
        (low, high), best = found.standings[0].rank_interval, found.names[0]
        assert f'<th scope="row">{best}</th><td>1</td><td>[{low}, {high}]</td>' in html
        assert all(f"<p>{escape(words)}</p>" in html for words in found.words)
    assert "Over all groups" not in html  # only logistic is in every group
    several = leaderboard(
        *(run for place in PLACES if place != "two_symbols" for run in board_runs[place]), by="macro_f1"
    )
    assert set(several.average_ranks) == {"logistic", "random_forest"}
    assert sum(several.average_ranks.values()) == pytest.approx(3.0)
    assert "Over all groups" in several._repr_html_()


def scored_board(**scores):
    """A leaderboard of groups a, b, …: per group the (model, score) of its runs."""
    groups = {}
    for place, pairs in scores.items():
        group = Group((place,), 5)
        runs = tuple(
            FinishedRun(
                Path(f"{model}_{number}"), {"model": model}, {"trading": {"sharpe_ratio": value}, "classification": {}}
            )
            for number, (model, value) in enumerate(pairs)
        )
        groups[group] = ComparedGroup(group, "sharpe_ratio", runs, None, None, (), None)
    return Leaderboard(groups, "sharpe_ratio")


def test_average_ranks_are_over_the_models_that_are_in_every_group():
    board = scored_board(
        a=[("x", 1.0), ("y", 3.0), ("z", 2.0), ("only_here", 9.0)],
        b=[("x", 0.5), ("x", 1.5), ("y", 1.0), ("z", None)],
        c=[("z", 3.0), ("x", 2.0), ("y", 1.0)],
    )
    # a: y 1, z 2, x 3; b: x and y share 1.5, z has no score: 3; c: z 1, x 2, y 3
    assert board.average_ranks == {"y": pytest.approx(5.5 / 3), "z": 2.0, "x": pytest.approx(6.5 / 3)}
    assert list(board.average_ranks) == ["y", "z", "x"]
    assert scored_board(a=[("x", 1.0), ("y", 3.0)]).average_ranks == {}


@pytest.fixture(scope="module")
def seeded(tmp_path_factory):
    """A small forest with seeds 1, 2 and 5, the last one twice, and one of other settings."""
    config = DatasetConfig(horizons=(20,), features=("return_1", "rsi_14"), embargo_days="auto")
    container = TimeSeriesDataContainer.from_bars(random_walk(2500, 7, bar_seconds=3600), horizon=20, config=config)
    folder = tmp_path_factory.mktemp("seeded") / "runs"
    trees = [(1, 3), (2, 3), (5, 3), (5, 3), (1, 4)]
    settings = [
        TrainerConfig(
            model_name="random_forest", horizon=20, random_seed=seed, model={"n_estimators": count}, output_dir=folder
        )
        for seed, count in trees
    ]
    return [Trainer(each).run(container) for each in settings]


def test_the_spread_over_seeds_is_that_of_the_newest_run_of_each_seed(seeded):
    (spread,) = seed_spreads(leaderboard(*seeded).runs)
    assert (spread.model, spread.seeds) == ("random_forest", (1, 2, 5))
    assert [run.path for run in spread.runs] == [seeded[i].path for i in (0, 1, 3)]
    losses = [seeded[i].evaluation["classification"]["log_loss"] for i in (0, 1, 3)]
    found = spread.of("log_loss")
    assert found["smallest"] == min(losses) < found["mean"] < max(losses) == found["largest"]
    assert found["mean"] == pytest.approx(np.mean(losses), rel=1e-12)
    assert found["standard_deviation"] == pytest.approx(np.std(losses, ddof=1), rel=1e-9)


def test_the_spread_of_a_score_that_a_run_has_not_is_undefined(seeded):
    (spread,) = seed_spreads(leaderboard(*seeded).runs)
    without = replace(spread.runs[0], evaluation=deepcopy(spread.runs[0].evaluation))
    without.evaluation["trading"]["sharpe_ratio"] = None
    assert SeedSpread(spread.model, (without, *spread.runs[1:])).of("sharpe_ratio") is None


def test_one_seed_or_other_settings_have_no_spread(runs, seeded):
    assert seed_spreads(leaderboard(*runs).runs) == ()
    assert seed_spreads(leaderboard(seeded[0], seeded[4]).runs) == ()


def test_compare_and_notebooks_show_the_spread_below_the_scores(runs, seeded):
    (spread,) = seed_spreads(leaderboard(*seeded).runs)
    found = spread.of("mcc")
    shown = f"{found['mean']:.3f} ± {found['standard_deviation']:.3f}"
    text = succeed("compare", seeded[0].path.parent, "--by", "mcc").out
    heading = text.index(
        "Several seeds of the same settings: mean ± standard deviation\nname           seeds  macro F1"
    )
    assert text.index(shown) > heading
    assert "\nrandom_forest      3  " in text[heading:]
    html = leaderboard(*seeded, by="mcc")._repr_html_()
    assert '<th scope="row">random_forest</th><td>3</td>' in html and f"<td>{shown}</td>" in html
    assert "Several seeds" not in leaderboard(*runs)._repr_html_() + succeed("compare", runs[0].path.parent).out


def test_compare_gives_the_spread_to_programs_beside_each_seed(seeded):
    rows = {row["run"]: row for row in succeed("compare", seeded[0].path.parent, "--json").json}
    spreads = [rows[str(run.path)]["seed_spread"] for run in seeded]
    assert [rows[str(run.path)]["seed"] for run in seeded] == [1, 2, 5, 5, 1]
    assert spreads[0] == spreads[1] == spreads[3] and spreads[0]["seeds"] == [1, 2, 5]
    assert spreads[2] is None and spreads[4] is None  # trained again later; alone with its settings
    assert set(spreads[0]["macro_f1"]) == {"mean", "standard_deviation", "smallest", "largest"}


def test_a_negative_seed_and_a_file_in_place_of_a_folder_are_refused(runs, tmp_path) -> None:
    with pytest.raises(UsageError, match="seed: must be at least 0, got -1"):
        leaderboard(*runs, seed=-1)
    (tmp_path / "bars.csv").write_text("")
    with pytest.raises(InputMissingError, match=r"bars\.csv is no folder"):
        leaderboard(tmp_path / "bars.csv")


def test_a_score_or_a_folder_that_is_not_there_is_refused(runs, tmp_path) -> None:
    with pytest.raises(UsageError, match="unknown score 'sharp'"):
        leaderboard(*runs, by="sharp")
    with pytest.raises(InputMissingError, match="no finished run"):
        leaderboard(tmp_path)
