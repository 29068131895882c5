from __future__ import annotations

from pathlib import Path

import pytest
from command_line import DATASET, succeed, write_bars


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of 3,000 bars: large enough for stop rows and calibrate rows."""
    folder = tmp_path_factory.mktemp("faults")
    succeed("data", "build", write_bars(folder / "SYNTH.csv", 3000), "--out", folder / "dataset", *DATASET)
    return folder / "dataset"
