from __future__ import annotations

import re

import pytest

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.reports.tuning_report import write_tuning_page
from ohlcv_factory.studies.settings import CrossValidationConfig
from ohlcv_factory.studies.tuning import tune
from ohlcv_factory.studies.tuning_settings import TuningConfig
from ohlcv_factory.training.settings import TrainerConfig

pytest.importorskip("optuna")

TWO = CrossValidationConfig(folds=2)


@pytest.fixture(scope="module")
def study(dataset):
    config = TrainerConfig(model_name="logistic", horizon=5, output_dir=dataset.parent / "tuned" / "runs")
    asked = TuningConfig.parse({"trials": 5, "space": {"scaling": ["none", "robust"]}})
    return tune(config, TimeSeriesDataContainer.from_dataset(dataset, 5), asked, TWO, write_page=write_tuning_page).path


@pytest.fixture(scope="module")
def page(study):
    return (study / "report.html").read_text(encoding="utf-8")


def test_sections_stand_in_their_order(page):
    sections = re.findall(r'<section id="(\w+)">', page)
    assert sections == ["asked", "best", "history", "importance", "trials", "meaning"]


def test_every_trial_has_a_row_and_the_default_stands_beside_the_best(page):
    trials = page.partition('<section id="trials">')[2].partition("</section>")[0]
    assert trials.count('<th scope="row">') == 5
    assert "mean - 0.5 x standard deviation of log_loss_skill over the folds" in page
    assert "so they look better here than they are" in page


def test_nothing_comes_from_elsewhere_and_nothing_is_shown_as_nan_or_none(page):
    assert not re.search(r"https?://|src=|<script|<link|@import|url\(", page)
    assert not re.search(r">[^<]*\b(nan|NaN|None|inf)\b", page.split("</style>")[1])


def test_the_same_study_gives_the_same_bytes(study, page):
    assert write_tuning_page(study).read_text(encoding="utf-8") == page
