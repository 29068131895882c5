"""Raw bars and a dataset of them, built once per session through the command line."""

from __future__ import annotations

import pytest
from command_line import DATASET, succeed, write_bars


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("commands")


@pytest.fixture(scope="session")
def bar_csv(folder):
    """Raw bars as a vendor would give them."""
    return write_bars(folder / "SYNTH_5min.csv")


@pytest.fixture(scope="session")
def dataset(folder, bar_csv):
    """Large enough for stop rows and calibrate rows."""
    succeed("data", "build", bar_csv, "--out", folder / "dataset", *DATASET)
    return folder / "dataset"
