"""The README runs from top to bottom in an empty folder."""

from __future__ import annotations

import json


def test_every_block_runs_and_leaves_what_it_says(run_document) -> None:
    folder = run_document("README.md")
    assert sorted(path.name for path in folder.iterdir()) == [
        "SYNTH.csv",
        "dataset",
        "everything",
        "experiments",
        "python",
        "report.html",
    ]
    assert sorted(path.name for path in (folder / "everything").iterdir()) == [
        "dataset",
        "ledger.sqlite",
        "report.html",
        "runs",
    ]


def test_a_random_walk_gives_no_edge(run_document) -> None:
    folder = run_document("README.md")
    verdicts = {
        json.loads(path.read_text())["evaluation_metrics"]["verdict"]["code"]
        for path in folder.glob("*/runs/*/metrics/evaluation_metrics.json")
    }
    assert verdicts == {"no edge found"}
