"""What a finished run did in each session of its scored part, from the predictions and the path that it left."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import polars as pl

from ohlcv_factory.bars.instruments import Instrument
from ohlcv_factory.bars.sessions import SessionCalendar
from ohlcv_factory.config import read_yaml
from ohlcv_factory.errors import VerificationError
from ohlcv_factory.evaluation.comparison import SessionRecord, label_block, label_sums
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.storage.digests import array_digest, bytes_digest
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.studies.finished_runs import FinishedRun
from ohlcv_factory.training.bundle import FEATURE_CONFIG, MANIFEST


def record_files(run: FinishedRun) -> tuple[Path, Path]:
    """Where predictions and path of the scored part lie."""
    folder, part = run.scored_folder / "predictions", run.evaluation["part"]
    return folder / f"{part}_predictions.parquet", folder / f"{part}_path.parquet"


def session_record(run: FinishedRun) -> SessionRecord:
    """The run's P&L and its label scores by session, as its own scores count them.

    Raises VerificationError (76) for files that are missing or not those that the run wrote.
    """
    answers, path = (_verified_frame(run.scored_folder, file) for file in record_files(run))
    predictions, calendars = Predictions.from_frame(answers, run.manifest["horizon"]), _calendars(run)
    days, daily = _daily(path, calendars)
    session = _sessions(answers, calendars)
    sums = label_sums(predictions, session, days)
    return SessionRecord(
        days=days,
        daily=daily,
        labels=sums,
        truth=_truth_digest(predictions),
        sessions_per_year=float(run.evaluation["trading"]["sessions_per_year"]),
        label_block=label_block(sums, run.evaluation["classification"].get("direction_block_rows")),
    )


def _verified_frame(folder: Path, file: Path) -> pl.DataFrame:
    """A Parquet file of a run, its bytes compared with the digest in the manifest before they are parsed."""
    name = file.relative_to(folder).as_posix()
    recorded = {entry["path"]: entry["sha256"] for entry in read_json(folder / MANIFEST)["files"]}
    content = file.read_bytes() if file.is_file() else None
    if content is None or bytes_digest(content) != recorded.get(name):
        raise VerificationError(
            f"{name} is {'missing' if content is None else 'not the file that was written'}.",
            where=str(folder),
            help="restore the run folder",
        )
    return pl.read_parquet(io.BytesIO(content))


def _calendars(run: FinishedRun) -> dict[str, SessionCalendar]:
    instruments = read_yaml(run.path / FEATURE_CONFIG).values["data"]["instruments"]
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
