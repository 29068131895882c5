"""Runs and leaderboards as a notebook shows them, read from two small runs."""

from __future__ import annotations

from html import escape

import pytest

from ohlcv_factory import leaderboard
from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.errors import InputMissingError, UsageError
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


def test_a_leaderboard_shows_each_run_once_and_the_baselines_below(runs) -> None:
    html = leaderboard(*runs)._repr_html_()
    assert html.startswith("<table><caption><b>Horizon 20, part val, by sharpe_ratio</b></caption>")
    assert [html.count(f"<td>{run.path.name}</td>") for run in runs] == [1, 1]
    assert html.index('<th scope="row">(class_prior)</th>') > html.rindex('<th scope="row">logistic</th>')


def test_a_score_or_a_folder_that_is_not_there_is_refused(runs, tmp_path) -> None:
    with pytest.raises(UsageError, match="unknown score 'sharp'"):
        leaderboard(*runs, by="sharp")
    with pytest.raises(InputMissingError, match="no finished run"):
        leaderboard(tmp_path)
