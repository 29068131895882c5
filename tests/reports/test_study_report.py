from __future__ import annotations

import json
import re
import shutil

import pytest

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.reports.study_report import write_study_page
from ohlcv_factory.studies.cross_validation import cross_validate
from ohlcv_factory.studies.settings import CrossValidationConfig
from ohlcv_factory.training.settings import TrainerConfig

SECTIONS = ("asked", "folds", "drift", "stability", "scores", "curves", "decisions", "breakdown", "meaning")


def finished(dataset, **settings):
    config = TrainerConfig(model_name="logistic", horizon=5, output_dir=dataset.parent / "studies")
    container = TimeSeriesDataContainer.from_dataset(dataset, 5)
    return cross_validate(config, container, CrossValidationConfig(**settings), write_page=write_study_page).path


@pytest.fixture(scope="module")
def study(dataset):
    return finished(dataset, folds=3)


@pytest.fixture(scope="module")
def page(study):
    return (study / "report.html").read_text(encoding="utf-8")


def rewritten(study, folder, change):
    """A copy of a study with other numbers, and its page."""
    copy = shutil.copytree(study, folder / "copy")
    metrics = json.loads((copy / "metrics" / "metrics.json").read_text())
    change(metrics)
    (copy / "metrics" / "metrics.json").write_text(json.dumps(metrics))
    return write_study_page(copy).read_text(encoding="utf-8")


def test_sections_stand_in_their_order(page):
    assert tuple(re.findall(r'<section id="(\w+)">', page)) == SECTIONS


def test_nothing_comes_from_elsewhere_and_nothing_is_shown_as_nan_or_none(page):
    assert not re.search(r"https?://|src=|<script|<link|@import|url\(", page)
    assert not re.search(r">[^<]*\b(nan|NaN|None|inf)\b", page.split("</style>")[1])


def test_the_same_study_gives_the_same_bytes(study, page):
    assert write_study_page(study).read_text(encoding="utf-8") == page


def test_every_fold_and_every_block_is_there(page):
    table = page[page.index('<section id="folds">') : page.index('<section id="drift">')]
    assert re.findall(r'<tr><th scope="row">(\d)</th>', table) == ["1", "2", "3"]
    drift = page[page.index('<section id="drift">') : page.index('<section id="stability">')]
    assert [drift.count(f"<li>fold {number}, ") for number in (1, 2, 3)] == [3, 3, 3]  # three scores each


def test_numbers_are_those_of_the_study(study, tmp_path):
    def change(metrics):
        metrics["summary"]["macro_f1"] = {"mean": 0.4321, "spread": 0.0123, "low": 0.4, "high": 0.45, "blocks": 3}
        metrics["stability"]["sharpe_ratio"] |= {"grade": "D", "beyond_chance": 0.87, "p_value": 0.001, "spread": 4.5}

    html = rewritten(study, tmp_path, change)
    assert '<th scope="row">Macro-F1</th><td>0.432</td><td>0.012</td><td>0.400</td><td>0.450</td><td>3</td>' in html
    assert re.search(
        r'<th scope="row">Sharpe ratio, net</th><td>D</td><td>4.50</td><td>[^<]*</td><td>87\u202f%</td><td>0.001', html
    )


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        ("edge", "edge", "An edge out of fold"),
        ("no edge found", "none", "No edge found"),
        ("too little data", "few", "Too little data"),
    ],
)
def test_the_verdict_stands_above_everything(study, tmp_path, code, kind, words):
    def change(metrics):
        metrics["out_of_fold"][0]["verdict"] = {"code": code, "words": "Because."}

    html = rewritten(study, tmp_path, change)
    assert f'<div class="verdict {kind}"><strong>{words}</strong><p>logistic: Because.</p>' in html
    assert html.index('class="verdict') < html.index("<section")


def test_an_undefined_grade_is_a_dash_and_a_sentence(study, tmp_path):
    def change(metrics):
        nothing = dict.fromkeys(("grade", "beyond_chance", "p_value", "spread", "chance")) | {"blocks": 2}
        metrics["stability"] |= {"grade": None, "log_loss_skill": nothing}

    html = rewritten(study, tmp_path, change)
    assert "Stability: undefined, 2 blocks have a score with an interval, 3 are needed." in html
    assert '<th scope="row">Log-loss skill (nats)</th><td>–</td>' in html


def test_several_paths_stand_side_by_side(dataset):
    html = (finished(dataset, scheme="combinatorial", folds=3) / "report.html").read_text(encoding="utf-8")
    scores = html[html.index('<section id="scores">') : html.index('<section id="curves">')]
    assert [f'<th scope="row">path {number}</th>' in scores for number in (1, 2, 3)] == [True, True, False]
    assert html.count("<li>path ") >= 2


def test_markup_in_names_is_inert(study, tmp_path):
    html = rewritten(study, tmp_path, lambda metrics: metrics.update(model_name="<script>alert(1)</script>"))
    assert "<script" not in html
