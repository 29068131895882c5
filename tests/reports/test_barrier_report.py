from __future__ import annotations

import re

import pytest

from ohlcv_factory.reports.barrier_report import write_barrier_page
from ohlcv_factory.studies.barrier_tuning import tune_barriers
from ohlcv_factory.studies.settings import CrossValidationConfig
from ohlcv_factory.studies.tuning_settings import BarrierTuningConfig
from ohlcv_factory.training.settings import TrainerConfig

pytest.importorskip("optuna")


@pytest.fixture(scope="module")
def study(dataset):
    config = TrainerConfig(model_name="logistic", output_dir=dataset.parent / "barriers" / "runs")
    asked, two = BarrierTuningConfig.parse({"trials": 2}), CrossValidationConfig(folds=2)
    return tune_barriers(dataset, asked, two, config=config, write_page=write_barrier_page).path


@pytest.fixture(scope="module")
def page(study):
    return (study / "report.html").read_text(encoding="utf-8")


def test_barriers_are_shown_with_what_they_mean_for_each_symbol(page):
    assert len(re.findall(r'<section id="search-', page)) == 2
    assert page.count('aria-label="What the barriers mean"') == 2
    for words in ("Timed out", "Bars to the end", "Both in one bar", "the dataset&#x27;s"):
        assert words in page


def test_nothing_comes_from_elsewhere_and_nothing_is_shown_as_nan_or_none(page):
    assert not re.search(r"https?://|src=|<script|<link|@import|url\(", page)
    assert not re.search(r">[^<]*\b(nan|NaN|None|inf)\b", page.split("</style>")[1])


def test_the_same_study_gives_the_same_bytes(study, page):
    assert write_barrier_page(study).read_text(encoding="utf-8") == page
