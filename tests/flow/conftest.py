from __future__ import annotations

import pytest
from command_line import DATASET, succeed, train, write_bars


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("flow")


@pytest.fixture(scope="session")
def bar_csv(folder):
    """Raw bars as a vendor would give them."""
    return write_bars(folder / "SYNTH_5min.csv")


@pytest.fixture(scope="session")
def dataset(folder, bar_csv):
    succeed("data", "build", bar_csv, "--out", folder / "dataset", *DATASET)
    return folder / "dataset"


@pytest.fixture(scope="session")
def runs(folder, dataset):
    """Finished runs at horizon 5, by model."""
    output_dir = folder / "experiments" / "runs"
    quick = {"logistic": (), "lightgbm": ("--set", "model.n_estimators=60")}
    return {
        model: train(dataset, output_dir, "--experiment", "first", *more, model=model) for model, more in quick.items()
    }
