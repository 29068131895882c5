"""Does a run come out again? The same data, settings, code and packages, trained anew, compared byte by byte."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.errors import VerificationError
from ohlcv_factory.storage.experiments import RUNS_FOLDER
from ohlcv_factory.storage.formats import read_array
from ohlcv_factory.studies.ensembling import EnsembleTrainer
from ohlcv_factory.studies.run_folders import verify
from ohlcv_factory.studies.training_job import PROBABILITIES
from ohlcv_factory.training import artifacts
from ohlcv_factory.training.resumption import changed_since_start, flat_keys
from ohlcv_factory.training.run_manifest import read_run_manifest
from ohlcv_factory.training.trainer import Trainer

TOLERANCE = 1e-5
"""Largest difference of a probability that other packages, other threads or another machine may make."""
SAME_BYTES, WITHIN_TOLERANCE, DIFFERS = "same bytes", "within tolerance", "differs"
NOT_OF_THE_RESULT = ("peak_memory_mb",)


@dataclass(frozen=True)
class Reproduction:
    """What came of training a run again."""

    verdict: str
    """same bytes; within tolerance, where the environment is another one; differs."""
    rows: int
    """Eligible rows of the val part."""
    differing_rows: int
    """Rows of which a probability has other bits."""
    largest_difference: float
    """Of one probability."""
    environment: tuple[str, ...]
    """What is not as it was when the run was made: `packages.numpy: 2.4.6 then, 2.5.0 now`."""

    def plain(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def reproduce(
    run: Path,
    own: Trainer | EnsembleTrainer,
    trainer_of: Callable[[Path], Trainer | EnsembleTrainer],
    container: TimeSeriesDataContainer,
) -> Reproduction:
    """Train a finished run again in a folder that is then removed, and compare the val part's probabilities.

    `own` is made from the run's own recipe, and so is `trainer_of(output_dir)` but for the folder of runs. A repetition
    is no new trial: the ledger of the run's experiments folder gets no entry. Raises VerificationError (76) naming the
    keys, or the dataset, that are not those of the run, or the file that has changed; and what training raises.
    """
    manifest = read_run_manifest(run)
    changed = changed_since_start(run, artifacts.repeatable_config(own.config, own.model), container)
    if changed:
        raise VerificationError(
            f"this is not what the run was made of: {'; '.join(changed)}.",
            where=str(run),
            help="put them back; the run's own values stand in config/start.json",
        )
    verify(run)
    with tempfile.TemporaryDirectory(prefix="ohlcv-reproduce-") as place:
        again = trainer_of(Path(place) / RUNS_FOLDER).run(container)
        before, after = (read_array(folder / PROBABILITIES) for folder in (run, again.path))
    return compared(before, after, environment_differences(manifest, artifacts.machine_facts()))


def compared(before: np.ndarray, after: np.ndarray, environment: tuple[str, ...]) -> Reproduction:
    """The verdict on two arrays of probabilities, `(n, 3)` each; another number of rows differs in every row."""
    if before.shape != after.shape or before.dtype != after.dtype:
        return Reproduction(DIFFERS, len(before), max(len(before), len(after)), 1.0, environment)
    other_bits = (_bits(before) != _bits(after)).any(axis=1)
    largest = float(np.abs(before.astype(np.float64) - after).max(initial=0.0))
    if not other_bits.any():
        verdict = SAME_BYTES
    elif environment and largest <= TOLERANCE:
        verdict = WITHIN_TOLERANCE
    else:
        verdict = DIFFERS
    return Reproduction(verdict, len(before), int(other_bits.sum()), largest, environment)


def environment_differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    """Code, packages, threads and machine that are not as a manifest recorded them."""
    recorded, present = flat_keys({name: then.get(name) for name in now}), flat_keys(now)
    names = sorted(name for name in recorded.keys() | present.keys() if name not in NOT_OF_THE_RESULT)
    return tuple(
        f"{name}: {_word(recorded, name)} then, {_word(present, name)} now"
        for name in names
        if recorded.get(name) != present.get(name)
    )


def _word(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    if value is None:
        return "unknown"
    return str(value)[:12] if name == "code" else str(value)


def _bits(array: np.ndarray) -> np.ndarray:
    """The bytes of each row, whatever order the array lies in."""
    return np.ascontiguousarray(array).view(np.uint8).reshape(len(array), -1)
