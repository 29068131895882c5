"""Packs a run or a dataset as `tests/storage/test_examples.py` reads it: python pack.py FOLDER NAME.zip

Plots and pages are left out, of the folder and of the manifest's list, because they are most of the bytes; the rest is as
the version wrote it. The examples were written on 2026-11-27 by `data build` and `train --model logistic` of the commits

    dataset_1.zip        8cf91ac   schema 1: features in the Parquet file alone
    dataset_2_first.zip  be45b99   schema 2 as it began: a matrix, neither finer bars nor plugins (bars: those of dataset_1)
    run_1_first.zip      8cf91ac   format 1 as it began: no training range, no decision rule, no rolls, no code digest
    run_1.zip            dbe476e   format 1 at its end
    run_2.zip                      format 2: roles, facts about the model, reference rows

from 920 hourly bars of `random_walk(920, 7, bar_seconds=3600, beta=0.8)`, prices rounded to 2 digits and volumes to 0, with
`--horizons 5 --embargo auto --set features=[return_1,rsi_14] --set barriers.5={k_up: 2, k_down: 2, max_bars: 8} --set
timeframes=[] --set history_bars=0 --set parts.train=0.4 --set parts.val=0.3`.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

LEFT_OUT = (".png", ".html")


def pack(folder: Path, archive: Path, *, without: tuple[str, ...] = ()) -> None:
    """Put a folder into a zip archive of fixed times."""
    name = "manifest.json" if (folder / "manifest.json").is_file() else "dataset.json"
    manifest = json.loads((folder / name).read_text())
    manifest["files"] = [entry for entry in manifest["files"] if not entry["path"].endswith(LEFT_OUT)]
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            inside = path.relative_to(folder).as_posix()
            if inside.endswith(LEFT_OUT) or inside in without:
                continue
            content = json.dumps(manifest).encode() if inside == name else path.read_bytes()
            packed.writestr(zipfile.ZipInfo(inside), content, zipfile.ZIP_DEFLATED, 9)


if __name__ == "__main__":
    pack(Path(sys.argv[1]), Path(sys.argv[2]), without=tuple(sys.argv[3:]))
