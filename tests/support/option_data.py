"""Datasets that the tests of options choose among, built once and linked into the folder of each command."""

from __future__ import annotations

from pathlib import Path

from command_line import DATASET, succeed, write_bars
from markets import COLUMNS
from own_features import OWN_FEATURE, own_features

from ohlcv_factory.config import write_yaml

OWN_SET = {"mine": {"include": ["rsi_14", "return_*"]}}


def build(place: Path) -> Path:
    """`small` and `other` of one symbol, `two` of SYNTHA and SYNTHB, `with_plugin` with a column of `own.py`, and `sets.yaml`."""
    for name, seed in (("small", 7), ("other", 8)):
        bars = write_bars(place / f"SYNTH_{name}.csv", 2500, seed=seed)
        succeed("data", "build", bars, "--out", place / name, *DATASET)
    pair = [write_bars(place / f"SYNTH{letter}.csv", 2600, seed=seed) for letter, seed in (("A", 0), ("B", 1))]
    succeed("data", "build", *pair, "--out", place / "two", *DATASET)
    (place / "sets.yaml").write_text(write_yaml(OWN_SET), encoding="utf-8")
    (place / "own.py").write_text(OWN_FEATURE, encoding="utf-8")
    with own_features():
        own = ("--plugin", place / "own.py", "--set", f"features=[{', '.join((*COLUMNS, 'gap_1'))}]")
        succeed("data", "build", place / "SYNTH_small.csv", "--out", place / "with_plugin", *DATASET, *own)
    return place


def laid_out(data: Path, place: Path) -> Path:
    """A new folder `place` in which all of them are found by their names."""
    place.mkdir()
    for each in data.iterdir():
        (place / each.name).symlink_to(each)
    return place
