from __future__ import annotations

import pytest
from command_line import DATASET, succeed, train, write_bars


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="session")
def bar_csv(folder):
    return write_bars(folder / "SYNTH_5min.csv")


@pytest.fixture(scope="session")
def dataset(folder, bar_csv):
    """Large enough for stop rows and calibrate rows."""
    succeed("data", "build", bar_csv, "--out", folder / "dataset", *DATASET)
    return folder / "dataset"


@pytest.fixture(scope="session")
def run(folder, dataset):
    """A finished logistic run."""
    return train(dataset, folder / "experiments" / "runs")
