from __future__ import annotations

import pytest
from built_dataset import bar_csv, dataset, folder
from command_line import train

__all__ = ["bar_csv", "dataset", "folder"]


@pytest.fixture(scope="session")
def runs(folder, dataset):
    """Finished runs at horizon 5, by model."""
    output_dir = folder / "experiments" / "runs"
    quick = {"logistic": (), "lightgbm": ("--set", "model.n_estimators=60")}
    return {
        model: train(dataset, output_dir, "--experiment", "first", *more, model=model) for model, more in quick.items()
    }
