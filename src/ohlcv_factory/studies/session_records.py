"""What a finished run did in each session of its scored part, from the predictions and the path that it left."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from ohlcv_factory.bars.instruments import Instrument
from ohlcv_factory.bars.sessions import SessionCalendar
from ohlcv_factory.errors import VerificationError
from ohlcv_factory.evaluation.comparison import SessionRecord, label_block, label_sums
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.storage.digests import array_digest, bytes_digest
from ohlcv_factory.storage.formats import read_json, read_settings
from ohlcv_factory.storage.parquet import table_in
from ohlcv_factory.storage.regular_files import MOST_TABLE_BYTES, read_regular
from ohlcv_factory.studies.finished_runs import FinishedRun
from ohlcv_factory.studies.out_of_fold import part_name
from ohlcv_factory.training.bundle import FEATURE_CONFIG, MANIFEST


def record_files(run: FinishedRun) -> list[tuple[Path, Path]]:
    """Where the predictions and the P&L of the scored part lie, once for each path through the rows."""
    folder, part = run.scored_folder / "predictions", run.evaluation["part"]
    names = [part] if run.paths == 1 else [part_name(number) for number in range(1, run.paths + 1)]
    return [(folder / f"{name}_predictions.parquet", folder / f"{name}_path.parquet") for name in names]


def session_record(run: FinishedRun) -> SessionRecord:
    """The run's P&L and its label scores by session, as its own scores count them.

    Raises VerificationError (76) for files that are missing or not those that the run wrote.
    """
    calendars = _calendars(run)
    paths = [_path_record(run, files, calendars) for files in record_files(run)]
    daily, labels = np.stack([path[1] for path in paths]), np.stack([path[2] for path in paths])
    days, predictions = paths[0][0], paths[0][3]
    block_rows = run.evaluation["classification"].get("direction_block_rows")
    return SessionRecord(
        days=days,
        daily=daily,
        labels=labels,
        truth=_truth_digest(predictions),
        sessions_per_year=float(run.evaluation["trading"]["sessions_per_year"]),
        label_block=label_block(labels[0], block_rows),
    )


def _path_record(
    run: FinishedRun, files: tuple[Path, Path], calendars: dict[str, SessionCalendar]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, Predictions]:
    """Sessions `(S,)`, net P&L `(S,)`, label sums `(S, 12)` and predictions of one path; all paths have the same rows."""
    answers, path = (_verified_frame(run.scored_folder, file) for file in files)
    predictions = Predictions.from_frame(answers, run.manifest["horizon"])
    days, daily = _daily(path, calendars)
    return days, daily, label_sums(predictions, _sessions(answers, calendars), days), predictions


def _verified_frame(folder: Path, file: Path) -> pl.DataFrame:
    """A Parquet file of a run, its bytes compared with the digest in the manifest before they are parsed."""
    name = file.relative_to(folder).as_posix()
    recorded = {entry["path"]: entry["sha256"] for entry in read_json(folder / MANIFEST)["files"]}
    content = read_regular(file, MOST_TABLE_BYTES) if file.is_file() else None
    if content is None or bytes_digest(content) != recorded.get(name):
        raise VerificationError(
            f"{name} is {'missing' if content is None else 'not the file that was written'}.",
            where=str(folder),
            help="restore the run folder",
        )
    return table_in(content, file)


def _calendars(run: FinishedRun) -> dict[str, SessionCalendar]:
    """Of each symbol; a cross-validation has them in its manifest, a run among what its features need."""
    instruments = run.manifest.get("instruments")
    if instruments is None:
        instruments = read_settings(run.path / FEATURE_CONFIG)["data"]["instruments"]
    return {str(each["symbol"]): Instrument.parse(each).sessions for each in instruments}


def _sessions(frame: pl.DataFrame, calendars: dict[str, SessionCalendar]) -> np.ndarray:
    """The session of each row by its symbol's calendar, `(n,)` int64."""
    symbols, times = frame["symbol"].to_numpy(), frame["time"].dt.timestamp("ns").to_numpy()
    days = np.empty(len(frame), dtype=np.int64)
    for symbol in np.unique(symbols):
        rows = symbols == symbol
        days[rows] = calendars[symbol].session_day(times[rows])
    return days


def _daily(path: pl.DataFrame, calendars: dict[str, SessionCalendar]) -> tuple[np.ndarray, np.ndarray]:
    """Sessions `(S,)` and their net P&L `(S,)`: the mean over symbols of equal notional, joined by session."""
    days, place = np.unique(_sessions(path, calendars), return_inverse=True)
    return days, np.bincount(place, path["net"].to_numpy(), minlength=len(days)) / path["symbol"].n_unique()


def _truth_digest(predictions: Predictions) -> str:
    """Of which rows were scored, and of their labels."""
    scored = predictions.take(np.flatnonzero(predictions.scored))
    codes, times = scored.index["symbol_code"].copy(), scored.index["time_ns"].copy()
    return array_digest(codes, times, scored.truth)
