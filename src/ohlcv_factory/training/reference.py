"""A few rows that travel with a model, and what it said about them: what loads but answers otherwise is not that model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.samples import RowMarket
from ohlcv_factory.dataset.windows import WindowSource
from ohlcv_factory.errors import DataError, VerificationError
from ohlcv_factory.storage.formats import read_arrays, write_arrays
from ohlcv_factory.training.pipeline import Answers, ContainerRows, FittedPipeline, Question

REFERENCE = Path("checkpoints") / "reference.npz"
REFERENCE_ROWS = 8
TOLERANCE = 1e-5
"""Largest difference of a raw probability on another machine, or with other threads."""
TOLERANCES = {"classical": 1e-6, "boosting": 1e-6, "foundation": 1e-4}
"""Of families whose arithmetic is closer, or has more of it in single precision."""
CALIBRATED_TOLERANCE = 1e-9
"""Of a calibrated one, made of the stored raw ones by the calibrator alone."""


@dataclass(frozen=True)
class Reference:
    """Unscaled inputs of some rows, and the answers of the model that was fitted."""

    question: Question
    answers: Answers

    @classmethod
    def of(cls, pipeline: FittedPipeline, question: Question) -> Self:
        """A few of the rows of a question, evenly spaced, with the pipeline's answers."""
        chosen = question.take(_evenly(len(question.X)))
        return cls(chosen, pipeline.probabilities(*chosen))

    @classmethod
    def read(cls, path: Path, *, padded: bool) -> Self:
        """What `write` wrote. Raises InputMissingError (66), or DataError (65) where it is damaged."""
        stored = read_arrays(path)
        try:
            X: Any = stored["inputs"]
            market = {name: stored[_market(name)] for name in RowMarket.__dataclass_fields__ if _market(name) in stored}
            question = Question(
                WindowSource.of_array(X, padded=padded) if X.ndim == 3 else X,
                tuple(stored["symbols"].tolist()),
                stored.get("codes"),
                RowMarket(**market) if market else None,
            )
            return cls(question, (stored["raw"], stored["calibrated"], stored["decision"]))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{path.name} holds no reference rows: {error}.", where=str(path), help="the file is damaged"
            ) from None

    def write(self, path: Path) -> None:
        """One `.npz` file."""
        X, symbols, codes, market = self.question
        arrays = {"inputs": np.asarray(X, dtype=np.float32), "symbols": np.array(symbols, dtype=str)}
        arrays |= {} if codes is None else {"codes": np.asarray(codes)}
        arrays |= {_market(name): getattr(market, name) for name in RowMarket.__dataclass_fields__} if market else {}
        raw, calibrated, decision = self.answers
        write_arrays(path, {**arrays, "raw": raw, "calibrated": calibrated, "decision": decision})

    def check(self, pipeline: FittedPipeline, tolerance: float, place: Path) -> None:
        """Raise VerificationError (76) where a pipeline answers otherwise than the one that was fitted.

        The model is asked again; calibrator and rule get the stored raw probabilities, so that a step of the calibrator
        does not widen what the tolerance allows.
        """
        raw, calibrated, decision = self.answers
        found = pipeline.model_answers(*self.question)
        again = pipeline.calibrator.apply(raw)
        _refuse(_distance(found, raw), tolerance, "the model's probabilities", place)
        _refuse(_distance(again, calibrated), CALIBRATED_TOLERANCE, "the calibrated probabilities", place)
        if not np.array_equal(pipeline.rule.decide(calibrated), decision):
            raise VerificationError(
                "the self-test fails: other decisions than when it was made.", where=str(place), help=_ADVICE
            )


def reference_question(pipeline: FittedPipeline, container: TimeSeriesDataContainer) -> Question:
    """A few rows of the val part of a container, or of train where it has none; no label is looked at."""
    rows = container.rows("val") if len(container.rows("val")) else container.rows("train")
    return pipeline.question(ContainerRows(container, rows[_evenly(len(rows))]))


_ADVICE = "the model, or a package that reads it, is not the one of then: do not use its predictions"


def reference_facts(family: str) -> Mapping[str, Any]:
    """What a manifest says of the reference rows of a model of a family."""
    return {"file": REFERENCE.as_posix(), "rows": REFERENCE_ROWS, "tolerance": TOLERANCES.get(family, TOLERANCE)}


def _evenly(count: int) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, min(REFERENCE_ROWS, count)).astype(np.int64))


def _distance(found: np.ndarray, stored: np.ndarray) -> float:
    if found.shape != stored.shape or not np.isfinite(stored).all() or not np.isfinite(found).all():
        return float("inf")
    return float(np.abs(found - stored).max(initial=0.0))


def _refuse(distance: float, tolerance: float, what: str, place: Path) -> None:
    if not distance <= tolerance:
        raise VerificationError(
            f"the self-test fails: {what} are {distance:.1e} away from those of when it was made, "
            f"{tolerance:g} is allowed.",
            where=str(place),
            help=_ADVICE,
        )


def _market(name: str) -> str:
    return f"market.{name}"
