"""Run folders with a spool, without a training; and what MLflow's database holds, read without MLflow."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from ohlcv_factory.storage.formats import read_json, write_json
from ohlcv_factory.training.tracking.settings import ExperimentConfig
from ohlcv_factory.training.tracking.spool import SPOOL

BEGAN_MS = 1_700_000_000_000
UPDATED = "2023-11-14T23:00:00.000000Z"
UPDATED_MS = 1_700_002_800_000


def run_folder(finished: Path, folder: Path, state: str = "FINISHED") -> Path:
    """A copy of a finished run in another state; one that is not finished has no manifest."""
    shutil.copytree(finished, folder)
    write_state(folder, state)
    if state != "FINISHED":
        (folder / "manifest.json").unlink()
    return folder


def write_state(folder: Path, state: str) -> None:
    write_json(folder / "state.json", {"state": state, "attempt": 1, "updated": UPDATED, "error": None})


def write_start(folder: Path, attempt: int = 1, key: str = "k1", later_ms: int = 0, **experiment: Any) -> None:
    """The line that begins an attempt."""
    told = ExperimentConfig.parse(experiment).plain()
    _append(folder, {"event": "start", "time": BEGAN_MS + later_ms, "attempt": attempt, "key": key, "experiment": told})


def write_epochs(folder: Path, losses: Mapping[int, float]) -> None:
    """A line per epoch, a second apart."""
    for epoch, loss in losses.items():
        facts = {"epoch": epoch, "metrics": {"val_loss": loss}}
        _append(folder, {"event": "epoch", "time": BEGAN_MS + 1000 * epoch, **facts})


def _append(folder: Path, event: Mapping[str, Any]) -> None:
    with (folder / SPOOL).open("a") as stream:
        stream.write(json.dumps(event) + "\n")


def mlflow_runs(database: Path) -> list[dict[str, Any]]:
    """The runs of a database of MLflow in the order of their start."""
    runs = _rows(database, "SELECT run_uuid, name, status, end_time, experiment_id FROM runs ORDER BY start_time, name")
    experiments = dict(_rows(database, "SELECT experiment_id, name FROM experiments"))
    return [
        {
            "id": run,
            "name": name,
            "status": status,
            "end_ms": end,
            "experiment": experiments[experiment],
            "params": dict(_rows(database, "SELECT key, value FROM params WHERE run_uuid = ?", run)),
            "tags": dict(_rows(database, "SELECT key, value FROM tags WHERE run_uuid = ?", run)),
            "metrics": _rows(
                database, "SELECT key, step, value FROM metrics WHERE run_uuid = ? ORDER BY key, step", run
            ),
        }
        for run, name, status, end, experiment in runs
    ]


def curve(run: Mapping[str, Any], name: str) -> list[tuple[int, float]]:
    """Step and value of one metric of a run of MLflow."""
    return [(step, value) for key, step, value in run["metrics"] if key == name]


def _rows(database: Path, query: str, *values: Any) -> list[Any]:
    with closing(sqlite3.connect(database)) as opened:
        return opened.execute(query, values).fetchall()


def without_times(folder: Path) -> Any:
    """Size and digest of the files of a run, but for those that say when."""
    return {
        stored["path"]: stored["sha256"]
        for stored in read_json(folder / "manifest.json")["files"]
        if stored["path"].partition("/")[0] not in {"state.json", "logs", "tracking.jsonl", "tracking.json"}
    }
