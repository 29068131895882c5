"""Support vector machine with a Gaussian kernel, its scores mapped to probabilities out of fold."""

from __future__ import annotations

import logging
from itertools import combinations
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from ohlcv_factory.config import Search, setting
from ohlcv_factory.dataset.samples import InputSpec, Samples
from ohlcv_factory.models._sklearn import SklearnModel
from ohlcv_factory.models.base import EpochSink, FitReport, ModelConfig
from ohlcv_factory.models.registry import ModelRegistry

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import SVC

REQUIRES = ("sklearn",)
KERNEL_CACHE_MB = 500
KERNEL_ROWS = 1024
"""Rows whose kernel against all support vectors is held at once."""
Positive = Annotated[float, Field(gt=0)]
_log = logging.getLogger(__name__)


class SVMConfig(ModelConfig):
    """Settings of the support vector machine."""

    C: float = setting(
        1.0, "cost of a row inside the margin", gt=0, search=Search(0.01, 100.0, log=True), source="scikit-learn SVC"
    )
    gamma: Literal["scale", "auto"] | Positive = setting(
        "scale",
        "kernel exp(-gamma d²): scale = 1 / (features · variance), auto = 1 / features",
        source="scikit-learn SVC",
    )
    max_rows: int = setting(
        6000,
        "most rows to fit: the cost grows with their square; more are thinned evenly in time",
        ge=100,
        source="cost",
    )
    calibration_blocks: int = setting(
        3, "blocks of time that are scored out of fold for the probability map", ge=2, le=20, source="cost"
    )

    refused: ClassVar[dict[str, str]] = {
        "kernel": "the kernel is rbf; for a linear score use logistic",
        "probability": "probabilities always come from an out-of-fold map",
        "multi_class": "classes are compared in pairs",
        "decision_function_shape": "classes are compared in pairs",
    }


@ModelRegistry.register()
class SVM(SklearnModel):
    """Support vector classification (Cortes and Vapnik 1995).

    A multinomial map (Platt 1999, for three classes) from pairwise scores to probabilities is fitted on scores of
    contiguous blocks of time, each made by a machine that saw no row whose label span touches the block.
    """

    input_spec: ClassVar[InputSpec] = InputSpec(feature_set="boosting_optimal", scaling="standard")
    Config = SVMConfig
    seeded = False

    def _fit(self, train: Samples, val: Samples | None, sink: EpochSink) -> FitReport:
        used = train.take(thinned_rows(train, self.config.max_rows))
        if len(used) < len(train):
            _log.info("svm: fitted on %d of %d rows, thinned evenly in time (max_rows)", len(used), len(train))
        gamma = kernel_width(self.config.gamma, used.X)
        scores, scored = self._out_of_fold(used, gamma)
        machine = self._machine(used, gamma)
        if not _has_all_classes(used.y[scored], self.class_count):
            scores, scored = pair_scores(machine, used.X), np.ones(len(used), dtype=bool)
        self.estimator = {"machine": machine, "map": _probability_map(scores[scored], used.take(scored))}
        rows = {"rows_given": len(train), "rows_used": len(used), "rows_calibrated": int(scored.sum())}
        return FitReport(history={name: [float(count)] for name, count in rows.items()})

    def _predict_proba(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(self.estimator["map"].predict_proba(pair_scores(self.estimator["machine"], X)))

    def _machine(self, samples: Samples, gamma: float) -> SVC:
        from sklearn.svm import SVC

        machine = SVC(C=self.config.C, gamma=gamma, cache_size=KERNEL_CACHE_MB, decision_function_shape="ovo")
        return machine.fit(samples.X, samples.y, sample_weight=samples.weight)

    def _out_of_fold(self, samples: Samples, gamma: float) -> tuple[np.ndarray, np.ndarray]:
        """Pairwise scores `(n, pairs)` of rows by machines that did not learn from them, and which rows have one."""
        pairs = self.class_count * (self.class_count - 1) // 2
        scores, scored = np.zeros((len(samples), pairs)), np.zeros(len(samples), dtype=bool)
        for block, others in purged_blocks(samples, self.config.calibration_blocks):
            if _has_all_classes(samples.y[others], self.class_count):
                scores[block] = pair_scores(self._machine(samples.take(others), gamma), samples.X[block])
                scored[block] = True
        return scores, scored


def thinned_rows(samples: Samples, max_rows: int) -> np.ndarray:
    """At most `max_rows` row positions in time order: each class keeps its share, its rows evenly spaced in time."""
    order = np.argsort(samples.index["time_ns"], kind="stable")
    if len(order) <= max_rows:
        return order
    kept = []
    for code in np.unique(samples.y):
        rows = order[samples.y[order] == code]
        count = max(1, len(rows) * max_rows // len(order))
        kept.append(rows[(2 * np.arange(count) + 1) * len(rows) // (2 * count)])
    chosen = np.zeros(len(order), dtype=bool)
    chosen[np.concatenate(kept)] = True
    return order[chosen[order]]


def purged_blocks(samples: Samples, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Row positions of `count` blocks of time, each with the rows whose label span [time, label_end] misses it.

    `samples` stand in time order.
    """
    times, ends = samples.index["time_ns"], samples.label_end
    blocks = [block for block in np.array_split(np.arange(len(samples)), count) if len(block)]
    pairs = []
    for block in blocks:
        before, after = ends < times[block[0]], times > ends[block].max()
        pairs.append((block, np.flatnonzero(before | after)))
    return pairs


def kernel_width(gamma: str | float, X: np.ndarray) -> float:
    """The kernel's gamma as a number, by scikit-learn's rules."""
    if isinstance(gamma, float | int):
        return float(gamma)
    variance = float(X.var(dtype=np.float64)) if gamma == "scale" else 1.0
    return float(1.0 / (X.shape[1] * (variance or 1.0)))


def pair_scores(machine: SVC, X: np.ndarray) -> np.ndarray:
    """The machine's score of each pair of classes, `(n, pairs)`, equal to libsvm's up to rounding and much faster."""
    from sklearn.metrics.pairwise import rbf_kernel

    weights, vectors = _pair_weights(machine), machine.support_vectors_
    slices = [X[start : start + KERNEL_ROWS].astype(np.float64) for start in range(0, len(X), KERNEL_ROWS)]
    scores = [rbf_kernel(rows, vectors, gamma=machine.gamma) @ weights for rows in slices]
    return np.asarray(np.concatenate(scores) + machine.intercept_)


def _pair_weights(machine: SVC) -> np.ndarray:
    """Weight of each support vector in each pair of classes, `(vectors, pairs)`, from libsvm's packed layout.

    Vectors stand grouped by class; one of class i holds its weight against class j in row j - 1 (j > i) or j (j < i).
    """
    packed, borders = machine.dual_coef_, np.cumsum([0, *machine.n_support_])
    pairs = list(combinations(range(len(machine.n_support_)), 2))
    weights = np.zeros((packed.shape[1], len(pairs)))
    for column, (low, high) in enumerate(pairs):
        of_low, of_high = (slice(borders[code], borders[code + 1]) for code in (low, high))
        weights[of_low, column] = packed[high - 1, of_low]
        weights[of_high, column] = packed[low, of_high]
    return weights


def _probability_map(scores: np.ndarray, samples: Samples) -> LogisticRegression:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=1000).fit(scores, samples.y, sample_weight=samples.weight)


def _has_all_classes(codes: np.ndarray, count: int) -> bool:
    return len(np.unique(codes)) == count
