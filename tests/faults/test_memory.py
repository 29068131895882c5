"""Memory that runs out is an error with figures and a knob, before the fit where that can be known, else in its state."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from faulty_runs import command, hurt, only_run

from ohlcv_factory.storage.formats import read_json

LIMITED = """
import os, resource
from pathlib import Path
from ohlcv_factory.training import fitting, trainer

def limited():
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + int(os.environ["ROOM"]),) * 2)

refuse, fit = trainer.refuse_too_large, trainer.fit_pipeline

def refuse_too_large(*given):
    if os.environ["WHEN"] == "before":
        limited()
    refuse(*given)

def fit_pipeline(config, container, *given):
    if os.environ["WHEN"] == "during":
        limited()
        container.index["row"].repeat(20_000)  # what a wrong estimate comes to
    return fit(config, container, *given)

trainer.refuse_too_large, trainer.fit_pipeline = refuse_too_large, fit_pipeline
"""
"""`train` in a process that may take so much more memory from the estimate or from the fit on."""
FIGURES = r"[0-9.]+ GB"


def test_a_fit_that_cannot_fit_below_the_limit_of_the_process_is_refused_before_it(small: Path, tmp_path: Path) -> None:
    """F11: RLIMIT_AS counts like memory that is not there."""
    arguments = command("logistic", small, tmp_path / "runs")
    answer = hurt(LIMITED, arguments, WHEN="before", ROOM=str(100 << 20))
    assert answer.returncode == 70, answer.stderr
    assert re.search(rf"fitting 'logistic' needs about {FIGURES}, 0\.1 GB are free\.", answer.stderr)
    assert "help: lower the number of bars or features" in answer.stderr
    assert not list((tmp_path / "runs").glob("*"))  # no training minute, no folder


@pytest.mark.parametrize(
    ("model", "knob"),
    [
        ("logistic", "lower the number of bars or features"),
        pytest.param("gru", "lower batch_size", marks=pytest.mark.slow),
    ],
)
def test_memory_that_runs_out_in_a_fit_fails_the_run_with_the_figures_and_the_knob(
    model: str, knob: str, small: Path, tmp_path: Path
) -> None:
    """F11: the estimate was too small."""
    if model == "gru":
        pytest.importorskip("torch")
    answer = hurt(LIMITED, command(model, small, tmp_path / "runs"), WHEN="during", ROOM=str(200 << 20))
    assert answer.returncode == 70, answer.stderr
    said = rf"memory ran out while '{model}' was fitted: estimated {FIGURES}, taken {FIGURES}, free {FIGURES}\."
    assert re.search(said, answer.stderr)
    assert "Traceback" not in answer.stderr
    state = read_json(only_run(tmp_path / "runs") / "state.json")
    assert (state["state"], state["error"]["type"]) == ("FAILED", "E-memory")
    assert re.fullmatch(said, state["error"]["message"])
    assert state["error"]["hint"].startswith(knob)
