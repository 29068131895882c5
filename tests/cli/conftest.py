from __future__ import annotations

import option_data as options_of
import pytest
from built_dataset import bar_csv, dataset, folder
from command_line import train

__all__ = ["bar_csv", "dataset", "folder"]


@pytest.fixture(scope="session")
def run(folder, dataset):
    """A finished logistic run."""
    return train(dataset, folder / "experiments" / "runs")


@pytest.fixture(scope="session")
def option_data(tmp_path_factory):
    """The datasets of `option_data.build`, to be read only."""
    return options_of.build(tmp_path_factory.mktemp("option_data"))
