"""The page on many runs: its commands for one machine run (tests/studies/executor/test_cluster.py has the cluster)."""

from __future__ import annotations


def test_every_block_runs_and_leaves_the_study_that_it_describes(run_document, capfd) -> None:
    folder = run_document("docs/cluster.md")
    assert {path.name for path in (folder / "study").iterdir()} == {
        "study.json", "scores.csv", "summary.json", "runs", "jobs", "ledger.sqlite",
    }  # fmt: skip
    (one, two) = (folder / "study" / "jobs").iterdir()
    for job in (one, two):
        assert {path.name for path in job.iterdir()} == {
            "spec.json",
            "log.txt",
            "state.json",
            "record.json",
            "result.json",
        }
    assert "2 jobs in all, 2 finished\n" in capfd.readouterr().out
