"""The page on probabilities and decisions runs, and names every kind of both."""

from __future__ import annotations

from typing import get_args

from ohlcv_factory.evaluation.calibration import Method
from ohlcv_factory.evaluation.decisions import KINDS
from ohlcv_factory.evaluation.thresholds import LEVELS, MIN_TRADES

PAGE = "docs/decisions.md"


def test_the_page_runs_in_its_order(run_document):
    run_document(PAGE)


def test_the_page_names_every_kind_and_every_figure(pytestconfig):
    text = (pytestconfig.rootpath / PAGE).read_text(encoding="utf-8")
    first = [line.split("`")[1] for line in text.splitlines() if line.startswith("| `")]
    assert first[:6] == ["calibration:", *get_args(Method)]
    assert first[6:10] == ["decision:", *KINDS]
    assert f"among {(len(LEVELS) + 1) ** 2} pairs" in text
    assert f"under {MIN_TRADES}\ntrades" in text
