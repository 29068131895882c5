"""The page on many runs: its commands for one machine run (tests/studies/executor/test_cluster.py has the cluster)."""

from __future__ import annotations

from inline_executor import InlineExecutor

from ohlcv_factory.studies.executor import protocol


def test_every_block_runs_and_leaves_the_study_that_it_describes(run_document, capfd, monkeypatch) -> None:
    """Its jobs are done in this process, which is quicker and leaves no log of what they print."""
    monkeypatch.setattr(protocol, "open_executor", lambda *_, **__: InlineExecutor())
    folder = run_document("docs/cluster.md")
    assert {path.name for path in (folder / "study").iterdir()} == {
        "study.json", "scores.csv", "summary.json", "runs", "jobs", "ledger.sqlite", "counter",
    }  # fmt: skip
    (one, two) = (folder / "study" / "jobs").iterdir()
    for job in (one, two):
        assert {path.name for path in job.iterdir()} == {"spec.json", "state.json", "record.json", "result.json"}
    assert "2 jobs in all, 2 finished\n" in capfd.readouterr().out
