"""Runs that are hit while they train: commands of tiny models, a process that hurts itself, what must be equal afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from command_line import succeed

import ohlcv_factory
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.studies.run_folders import verify

TINY = {
    "logistic": ("max_iter=30",),
    "random_forest": ("n_estimators=10",),
    "xgboost": ("n_estimators=60", "chunk_trees=10", "max_depth=3"),
    "lightgbm": ("n_estimators=60", "chunk_trees=10", "num_leaves=7"),
    "catboost": ("iterations=60", "depth=3"),
    "gru": (
        "hidden_size=4", "num_layers=1", "lookback=12", "batch_size=128", "max_epochs=5", "windows_per_epoch=512",
        "early_stopping_patience=5",
    ),
}  # fmt: skip
"""Hyper-parameters with which a fit takes a second or so, and has several checkpoints."""
SAME = ("predictions/val_probabilities.npy", "predictions/val_predictions.parquet", "predictions/val_trades.parquet")
WITHOUT_PICTURES = "from ohlcv_factory.training import artifacts\nartifacts.write_plots = lambda *_: None\n"
"""They are most of a small run, and nothing is measured on them."""
MAIN = "\nfrom ohlcv_factory.cli.app import main\nmain()\n"

KILLED_AT = """
import os, signal
from pathlib import Path
from ohlcv_factory.models.boosting import catboost

catboost.SNAPSHOT_SECONDS = 0
left, root = int(os.environ["KILLED_AT"]), os.environ["KILLED_IN"]
OWNERS = ((os, "open"), (os, "fsync"), (os, "replace"), (os, "rename"), (Path, "write_bytes"), (Path, "mkdir"))

def counted(genuine):
    def call(place, *given, **options):
        global left
        where = os.readlink(f"/proc/self/fd/{place}") if isinstance(place, int) else str(place)
        if where.startswith(root):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return genuine(place, *given, **options)
    return call

for owner, name in OWNERS:
    setattr(owner, name, counted(getattr(owner, name)))
"""
"""A command that is killed before its n-th call to the disk, in the folder of its runs."""


def command(model: str, dataset: Path, output_dir: Path, *more: str) -> list[str]:
    """`train`, as arguments."""
    settings = [part for value in TINY[model] for part in ("--set", f"model.{value}")]
    where = ["--dataset", str(dataset), "--output-dir", str(output_dir), "--horizon", "5", "--threads", "1"]
    return ["train", "--model", model, *where, *settings, *more]


def only_run(output_dir: Path) -> Path:
    """The one run in a folder of runs."""
    (state,) = output_dir.glob("*/state.json")
    return state.parent


def whole_run(model: str, dataset: Path, output_dir: Path) -> Path:
    """A run that nothing hits."""
    succeed(*command(model, dataset, output_dir))
    return only_run(output_dir)


def hurt(code: str, arguments: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own that first runs `code`: it changes what is to go wrong."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_PICTURES + code + MAIN, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=surroundings(**environment),
    )


def surroundings(**environment: str) -> dict[str, str]:
    """This process's environment, in which the package under test is found."""
    search = os.pathsep.join([str(Path(ohlcv_factory.__file__).parent.parent), *filter(None, sys.path)])
    return {**os.environ, "PYTHONPATH": search, **environment}


def check_same(run: Path, whole: Path) -> None:
    """Both runs are finished, have the same bytes, can be verified, and nothing half-written is left."""
    for one in (run, whole):
        assert read_json(one / "state.json")["state"] == "FINISHED"
    for name in SAME:
        assert (run / name).read_bytes() == (whole / name).read_bytes(), name
    histories = [read_json(one / "metrics" / "training_metrics.json")["history"] for one in (run, whole)]
    assert histories[0] == histories[1]
    assert verify(run) > len(SAME)
    check_whole(run)


def check_whole(folder: Path) -> None:
    """Every JSON file parses, and nothing half-written is left."""
    for path in folder.rglob("*.json"):
        read_json(path)
    assert not list(folder.rglob(".partial-*"))
