"""The README runs from top to bottom in an empty folder."""

from __future__ import annotations

import json


def test_every_block_runs_leaves_what_it_says_and_finds_no_edge_in_a_random_walk(run_document) -> None:
    folder = run_document("README.md")
    left = {path.name for path in folder.iterdir()}
    assert left == {
        "SYNTH.csv",
        "checked",
        "dataset",
        "everything",
        "experiments",
        "leaderboard.html",
        "python",
        "report.html",
    }
    assert {path.name for path in (folder / "everything").iterdir()} == {
        "counter",
        "dataset",
        "ledger.sqlite",
        "report.html",
        "runs",
    }
    metrics = list(folder.glob("*/runs/*/metrics/evaluation_metrics.json"))
    assert len(metrics) == 6
    assert {json.loads(path.read_text())["evaluation_metrics"]["verdict"]["code"] for path in metrics} == {
        "no edge found"
    }
