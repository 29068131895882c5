from __future__ import annotations

from dataclasses import replace

import pytest

from ohlcv_factory.reports.reported_run import read_groups
from ohlcv_factory.reports.verdicts import overall, title, verdict_box


@pytest.fixture
def judged(run, tmp_path):
    """Runs with given verdicts: (model, horizon, code)."""

    def one(position, model, horizon, code):
        folder = tmp_path / f"run_{position}"
        folder.symlink_to(run.path)
        manifest = {**run.manifest, "model": model, "horizon": horizon}
        verdict = {"code": code, "words": f"Words of {model}."}
        told = {
            name: value for name, value in run.evaluation.items() if name != "trials"
        }  # so that it is not judged anew
        return replace(run, path=folder, manifest=manifest, evaluation={**told, "verdict": verdict})

    return lambda *wanted: read_groups([one(position, *each) for position, each in enumerate(wanted)])


def test_without_an_edge_the_page_says_so(judged):
    box = verdict_box(judged(("logistic", 5, "no edge found")))
    assert "<strong>No edge found</strong>" in box
    assert "Horizon 5, logistic: Words of logistic." in box
    assert "cannot be told from chance" in box


def test_an_edge_is_named_with_its_place_and_a_caution(judged):
    groups = judged(("logistic", 5, "edge"), ("lightgbm", 20, "no edge found"))
    assert title(groups) == "An edge on the validation part: logistic at horizon 5"
    assert "The test part has not been looked at" in verdict_box(groups)


def test_too_little_data_is_said_only_when_it_holds_for_all(judged):
    groups = judged(("logistic", 5, "too little data"), ("lightgbm", 20, "no edge found"))
    assert overall({group: runs for group, runs in groups.items() if group.horizon == 5}) == "too little data"
    assert overall(groups) == "no edge found"


def test_words_of_a_verdict_are_inert(judged):
    assert "<script>" not in verdict_box(judged(("<script>", 5, "no edge found")))
