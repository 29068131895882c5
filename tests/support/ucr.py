"""Labelled series of the UCR/UEA archive as examples for the training loop; `scripts/fetch_ucr` brings the files.

The folder is `UCR_DIR`, or `.ucr/` in the repository; without it the tests skip.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from ohlcv_factory.dataset.windows import WindowSource
from ohlcv_factory.models._torch.loop import Examples

IN_THE_REPOSITORY = Path(__file__).parents[2] / ".ucr"


def parts(name: str) -> tuple[Examples, Examples]:
    """Train and test part of a set, standardised by the train part; equal weights. Skips when the files are absent."""
    folder = Path(os.environ.get("UCR_DIR") or IN_THE_REPOSITORY)
    if not (folder / f"{name}_TRAIN.ts").is_file():
        pytest.skip(f"{folder} has no {name}: scripts/fetch_ucr brings it")
    (x, y), (later, answers) = (read_ts(folder / f"{name}_{part}.ts") for part in ("TRAIN", "TEST"))
    mean, deviation = x.mean((0, 1)), x.std((0, 1))
    names = sorted(set(y))
    return examples((x - mean) / deviation, y, names), examples((later - mean) / deviation, answers, names)


def read_ts(path: Path) -> tuple[np.ndarray, list[str]]:
    """Series of equal length `(n, time, features)` and their classes, out of a `.ts` file: features apart by colons."""
    lines = path.read_text(encoding="utf-8").partition("@data\n")[2].split()
    rows = [line.split(":") for line in lines]
    series = [[column.split(",") for column in row[:-1]] for row in rows]
    return np.array(series, dtype=np.float64).transpose(0, 2, 1), [row[-1] for row in rows]


def examples(x: np.ndarray, y: list[str], names: list[str]) -> Examples:
    """Whole series as windows, with the places of their classes in `names`."""
    codes = torch.tensor([names.index(name) for name in y])
    return Examples(WindowSource.of_array(x).torch(), codes, torch.ones(len(y)))
