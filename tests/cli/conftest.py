from __future__ import annotations

import pytest
from built_dataset import bar_csv, dataset, folder
from command_line import train

__all__ = ["bar_csv", "dataset", "folder"]


@pytest.fixture(scope="session")
def run(folder, dataset):
    """A finished logistic run."""
    return train(dataset, folder / "experiments" / "runs")
