"""Names of folders and files of an experiments folder that code without any model must know."""

from __future__ import annotations

from pathlib import Path

RUNS_FOLDER, STUDIES_FOLDER = "runs", "studies"
STATE, MANIFEST = "state.json", "manifest.json"


def experiments_folder(output_dir: Path) -> Path:
    """Where ledger and trackers lie: above `runs/` or `studies/`, or in the folder itself where it has another name."""
    return output_dir.parent if output_dir.name in (RUNS_FOLDER, STUDIES_FOLDER) else output_dir
