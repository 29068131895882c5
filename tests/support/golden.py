"""Golden arrays of the reference implementations: weights, inputs and outputs, one case per `.npz`.

The folder is `PARITY_DIR`, or `parity/` in the folder `shared` beside the repository; without it the tests skip.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import reduce
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

FORWARD = {"atol": 1e-5, "rtol": 1e-5}
GRADIENT_SHARE = 3e-5
"""Largest error of a gradient as a share of the largest entry of its array."""
BESIDE_THE_REPOSITORY = Path(__file__).parents[3] / "shared" / "parity"


@dataclass(frozen=True)
class Golden:
    """One case."""

    config: dict[str, Any]
    arrays: dict[str, Tensor]

    @classmethod
    def read(cls, name: str) -> Golden:
        """The case `name`; skips the test when its file is absent."""
        path = folder() / f"{name}.npz"
        if not path.is_file():
            pytest.skip(f"no golden arrays: {path} is absent; set PARITY_DIR")
        with np.load(path, allow_pickle=False) as file:
            config = json.loads(str(file["config"]))["config"]
            arrays = {key: torch.from_numpy(file[key]) for key in file.files if key != "config"}
        return cls(config, arrays)

    def input(self, name: str = "x") -> Tensor:
        """What went in."""
        return self.arrays[f"input/{name}"]

    def output(self, name: str = "y") -> Tensor:
        """What the reference answered."""
        return self.arrays[f"output/{name}"]

    def state(self, kind: str = "param") -> dict[str, Tensor]:
        """The reference's parameters (`param`), buffers, or gradients (`grad_param`), by its names."""
        return {key.partition("/")[2]: value for key, value in self.arrays.items() if key.startswith(f"{kind}/")}


def folder() -> Path:
    """Where the golden arrays are looked for."""
    return Path(os.environ.get("PARITY_DIR") or BESIDE_THE_REPOSITORY)


def renamed(state: dict[str, Tensor], names: dict[str, str]) -> dict[str, Tensor]:
    """The same tensors with each of `names` replaced in their keys, in order."""
    return {reduce(lambda key, pair: key.replace(*pair), names.items(), key): value for key, value in state.items()}


def channel_state(state: dict[str, Tensor], names: dict[str, str]) -> dict[str, Tensor]:
    """The state of maps over time: one per feature (`NAME.j.weight`) stacked, or one for all (`NAME.weight`)."""
    stacked = {}
    for (old, new), kind in product(names.items(), ("weight", "bias")):
        each = [state[f"{old}.{j}.{kind}"] for j in range(len(state)) if f"{old}.{j}.{kind}" in state]
        stacked[f"{new}.{kind}"] = torch.stack(each) if each else state[f"{old}.{kind}"]
    return stacked


def assert_equal(ours: Tensor, reference: Tensor) -> None:
    """Equal within the tolerance of the golden arrays."""
    torch.testing.assert_close(ours, reference, **FORWARD)


def assert_gradient(ours: Tensor | None, reference: Tensor) -> None:
    """Equal within 3e-5 of the array's largest entry."""
    assert ours is not None
    torch.testing.assert_close(ours, reference, atol=GRADIENT_SHARE * float(reference.abs().max()), rtol=0)


def block_widths(config: dict[str, Any]) -> list[int]:
    """Widths of an N-BEATS or N-HiTS block's linear maps: neuralforecast writes each as a pair (in, out)."""
    return [config["mlp_units"][0][0], *(after for _, after in config["mlp_units"])]


def assert_decomposition(encoder: Any, golden: Golden) -> None:
    """Coefficients, backcasts and forecasts of every block, and their sum, equal the reference's."""
    parts = encoder.decompose(golden.input())
    for i, theta in enumerate(parts.thetas):
        if f"output/theta_{i}" in golden.arrays:
            assert_equal(theta, golden.output(f"theta_{i}"))
    assert_equal(torch.stack(parts.backcasts), golden.output("backcast"))
    assert_equal(torch.stack(parts.forecasts), golden.output("block_forecast"))
    assert_equal(encoder.outlook(golden.input()), golden.output())
