"""Workers that die cost their job another attempt, and nobody else anything; the user hears how many there were."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from command_line import Answer, call

ONCE = """
import os, signal
from pathlib import Path

def once(run, spec):
    try:
        Path({died!r}).touch(exist_ok=False)
    except FileExistsError:
        return run(spec)
    os.kill(os.getpid(), signal.SIGKILL)

def fold(spec):
    from ohlcv_factory.studies.fold_job import run_fold
    return once(run_fold, spec)

def train(spec):
    from ohlcv_factory.studies.training_job import run_training
    return once(run_training, spec)
"""
SITE = "from ohlcv_factory.studies.executor import job\njob.KINDS.update(fold='dying:fold', train='dying:train')\n"
POOL = ("--executor", "local", "--workers", "2", "--threads", "1")


@pytest.fixture
def dying(tmp_path: Path) -> dict[str, str]:
    """The environment of a driver whose workers lose the first job that they are given."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "dying.py").write_text(ONCE.format(died=str(tmp_path / "died")))
    (site / "sitecustomize.py").write_text(SITE)
    return {"PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])}


def cross_validated(small: Path, folder: Path, *more: str, environment: dict[str, str] | None = None) -> Answer:
    where = ("--dataset", small, "--output-dir", folder, "--horizon", "5", "--folds", "3", "--set", "model.max_iter=20")
    answer = call("cv", "logistic", *where, "--json", *more, environment=environment)
    assert answer.code == 0, answer.err
    return answer


def test_a_pool_that_lost_a_worker_gives_the_folds_of_one_fit_alone(
    small: Path, dying: dict[str, str], tmp_path: Path
) -> None:
    """F12 for folds; and section 3: in a pool and alone, the same bytes."""
    alone = cross_validated(small, tmp_path / "alone", "--threads", "1")
    pool = cross_validated(small, tmp_path / "pool", *POOL, environment=dying)
    assert (tmp_path / "died").exists()
    assert pool.err == "warning: 1 of 3 folds were begun again: their workers died\n"
    one, other = (Path(answer.json["output_path"]) for answer in (alone, pool))
    for name in ("predictions.parquet", "scores.json"):
        for path in sorted(one.glob(f"folds/*/{name}")):
            assert path.read_bytes() == (other / path.relative_to(one)).read_bytes(), path
    assert len(list(other.glob("folds/*/manifest.json"))) == 3


@pytest.mark.slow
def test_a_sweep_that_lost_a_worker_finishes_and_counts_it(small: Path, dying: dict[str, str], tmp_path: Path) -> None:
    """F12 for runs."""
    where = (
        "--dataset",
        small,
        "--out",
        tmp_path / "sweep",
        "--horizons",
        "5",
        "--models",
        "logistic",
        "--seeds",
        "1,2",
    )
    answer = call("sweep", *where, "--workers", "2", "--threads", "1", "--json", environment=dying)
    assert answer.code == 0, answer.err
    counts = answer.json["counts"]
    assert (counts["finished"], counts["failed"], counts["repeated"]) == (2, 0, 1)
    assert "BrokenProcessPool" not in answer.err + answer.out
