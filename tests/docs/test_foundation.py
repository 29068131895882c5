"""The commands on the page of foundation models run, with tiny checkpoints in the place of real ones."""

from __future__ import annotations

import pytest
from command_line import DATASET, succeed, write_bars

pytest.importorskip("chronos", reason="needs the extra foundation")


def test_the_page_runs(pytestconfig, run_document, shelf, tmp_path, capsys) -> None:
    (tmp_path / "configs").symlink_to(pytestconfig.rootpath / "configs")
    bars = write_bars(tmp_path / "SYNTH_few.csv", 2400)
    succeed("data", "build", bars, "--out", tmp_path / "data", *DATASET)
    run_document("docs/foundation.md")
    printed = capsys.readouterr()
    assert "pre-trained: amazon/chronos-bolt-small" in printed.out
    assert "ms_per_row: " in printed.out
    assert len(list(tmp_path.glob("experiments/runs/*/manifest.json"))) == 2
