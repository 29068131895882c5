"""Freezes cases of our own: `PARITY_DIR=../shared/parity python tests/parity/freeze.py`, once parity has been shown.

For each golden case of a reference this writes a file of the same layout: names and sizes of its `config`, but two
windows, and weights and inputs drawn here. The outputs are what our network gives in the very test that compares it with
the reference. So `frozen/` holds none of a reference's arrays, keeps what was proven while both were equal, and any
later change of a network's arithmetic fails without them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import golden
import torch
from torch import Tensor

HERE = Path(__file__).parent
FROZEN = HERE / "frozen"
WINDOWS = 2
LEFT_OUT = (
    "dlinear_shared",
    "dlinear_univariate",
    "nlinear_shared",
    "nlinear_univariate",
    "gru_bidirectional",
    "mamba_block",
    "nbeats_generic",
    "patchtst_fit",
    "tft_grn_context",
)
"""Cases that others cover, as the folder is to stay small."""
ANSWERS = ("output/", "grad_input/", "grad_param/", "buffer/enc_embedding.position_embedding.pe")
WINDOWS_ON_AXIS = {"output/backcast": 1, "output/block_forecast": 1, "output/kernel": None}
"""Where the first axis does not count windows."""


class Recorder:
    """The arrays of one case: given ones drawn anew, answers taken down as the tests come to compare them."""

    def __init__(self, name: str) -> None:
        with np.load(golden.folder() / f"{name}.npz", allow_pickle=False) as file:
            self.config = json.loads(str(file["config"]))["config"]
            arrays = {key: file[key] for key in file.files if key != "config"}
        generator = np.random.default_rng(np.frombuffer(name.encode(), np.uint8))
        self.given = {key: drawn(key, arrays[key], generator) for key in arrays if not _is_answer(key)}
        self.asked = {key: two_windows(key, value) for key, value in arrays.items() if _is_answer(key)}
        self.answers: dict[str, Tensor] = {}

    def golden(self) -> golden.Golden:
        return golden.Golden(self.config, {**self.given, **self.asked})

    def compare(self, ours: Tensor | None, reference: Tensor) -> None:
        """Take down `ours` where `reference` is the whole of an array that is asked for, in whatever shape."""
        for key, value in self.asked.items():
            if value.data_ptr() == reference.data_ptr() and value.numel() == reference.numel():
                assert ours is not None
                self.answers[key] = ours.detach().reshape(value.shape).clone()

    def write(self, path: Path) -> None:
        meta = json.dumps({"case": path.stem, "reference": "ohlcv_factory", "config": self.config})
        arrays = {key: value.detach().numpy() for key, value in {**self.given, **self.answers}.items()}
        np.savez_compressed(path, allow_pickle=False, config=np.array(meta), **arrays)


def _is_answer(key: str) -> bool:
    return key.startswith(ANSWERS) or ".basis." in key


def drawn(key: str, like: np.ndarray, generator: np.random.Generator) -> Tensor:
    """Normal numbers with mean and deviation of `like`, few bits each so that the file is small."""
    if like.dtype.kind == "i":
        return torch.from_numpy(like.copy())
    shape = (WINDOWS, *like.shape[1:]) if key.startswith("input/") else like.shape
    values = torch.from_numpy(like.mean() + like.std() * generator.standard_normal(shape))
    values = values.abs() + 0.1 if key.endswith("running_var") else values
    return values.to(torch.float8_e4m3fn).float()


def two_windows(key: str, value: np.ndarray) -> Tensor:
    """The shape of an answer for two windows; its numbers are not used."""
    axis = WINDOWS_ON_AXIS.get(key, 0) if key.startswith(("output/", "grad_input/")) else None
    if axis is None or value.ndim == 0:
        return torch.from_numpy(value.copy())
    return torch.from_numpy(np.take(value, range(WINDOWS), axis))


def main() -> None:
    """Run the parity tests on recorders, then write what they saw."""
    recorders: dict[str, Recorder] = {}

    def read(name: str) -> golden.Golden:
        return recorders.setdefault(name, Recorder(name)).golden()

    def compare(ours: Tensor | None, reference: Tensor) -> None:
        for recorder in recorders.values():
            recorder.compare(ours, reference)

    golden.Golden.read, golden.assert_equal, golden.assert_gradient = read, compare, compare  # type: ignore[method-assign]
    if pytest.main([str(HERE), "-q", "-k", "reference"]):
        raise SystemExit("a parity test does more than compare: nothing was written.")
    FROZEN.mkdir(exist_ok=True)
    for name in recorders.keys() - set(LEFT_OUT):
        recorders[name].write(FROZEN / f"{name}.npz")


if __name__ == "__main__":
    main()
