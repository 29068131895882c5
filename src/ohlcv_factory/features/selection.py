"""Which columns a model keeps, learnt from fit rows only, and how many columns some rows can carry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from ohlcv_factory.errors import DataError
from ohlcv_factory.features.catalogue import builtin_features, category_of, find
from ohlcv_factory.runtime.threads import one_blas_thread, thread_count

Method = Literal["none", "correlation", "importance"]

MAX_CORRELATION = 0.80
CONSTANT_SHARE = 0.995
"""A column is near-constant where one value fills more than this share of the rows."""
KEPT_SHARE = 0.5
"""Share of the columns that selection by importance keeps."""
SAMPLE_ROWS = 20_000
"""Rows that a selection looks at: evenly spaced, so that the same rows come from the same data."""
FOREST = {"n_estimators": 100, "max_depth": 8, "min_samples_leaf": 20, "max_features": "sqrt"}
INTERPRETABLE = (
    "user", "returns", "bar_shape", "momentum", "trend", "volatility", "volume", "averages", "calendar", "regime",
    "microstructure", "raw", "multi_timeframe", "wavelets",
)  # fmt: skip
"""Categories, the one that a reader understands best first: of a correlated pair the later one goes."""
ROWS_PER_FEATURE = 10
ADVISED = ((0, 0), (50_000, 100), (100_000, 200), (200_000, 400), (500_000, 500))
"""Training rows and the most features that they should carry; between two lines it is interpolated."""


@dataclass(frozen=True)
class Selection:
    """The columns that a fit keeps, and why each of the others went."""

    method: Method
    kept: tuple[str, ...]
    dropped: dict[str, str] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "kept": list(self.kept)}

    @classmethod
    def from_plain(cls, stored: Mapping[str, Any]) -> Selection:
        """Read back what `plain` gave."""
        return cls(stored["method"], tuple(stored["kept"]), dict(stored["dropped"]))


def fit_selection(method: Method, X: np.ndarray, y: np.ndarray, columns: Sequence[str], *, seed: int) -> Selection:
    """Choose among `columns` by fit rows: X `(n, F)` unscaled and finite, y `(n,)` classes.

    `correlation` drops near-constant columns and one of each pair with |rho| > 0.80, the less interpretable one.
    `importance` drops near-constant columns, then keeps the half that extremely randomised trees use most (mean
    decrease in impurity, Geurts et al. 2006). Nothing but these rows is looked at. Raises DataError (65)
    where no column is left.
    """
    if method == "none":
        return Selection(method, tuple(columns))
    rows = sampled(len(X))
    sample = X[rows].astype(np.float64)
    dropped = _near_constant(sample, columns)
    varied = [position for position, name in enumerate(columns) if name not in dropped]
    if not varied:
        raise DataError("every column is near-constant in the fit rows.", help="more bars, or another feature set")
    names = [columns[position] for position in varied]
    if method == "correlation":
        dropped |= _correlated(sample[:, varied], names)
    else:
        dropped |= _unimportant(sample[:, varied], y[rows], names, seed)
    return Selection(method, tuple(name for name in columns if name not in dropped), dropped)


def sampled(count: int) -> np.ndarray:
    """Positions of the rows that are looked at among `count`: at most SAMPLE_ROWS, evenly spaced."""
    return np.unique(np.linspace(0, count - 1, min(count, SAMPLE_ROWS)).astype(np.int64))


def correlation(X: np.ndarray) -> np.ndarray:
    """|Pearson's rho| between the columns of some rows `(n, F)`, `(F, F)`; a column without variation has none: 0."""
    sample = X[sampled(len(X))].astype(np.float64)
    varied = np.flatnonzero(np.ptp(sample, axis=0) > 0)
    rho = np.zeros((X.shape[1], X.shape[1]))
    rho[np.ix_(varied, varied)] = _correlation(sample[:, varied])
    return rho


def advised_most_features(rows: int) -> int:
    """The most features that this many training rows should carry: 50k 100, 100k 200, 200k 400, 500k 500."""
    known, most = zip(*ADVISED, strict=True)
    return max(1, int(np.interp(rows, known, most)))


def sample_to_feature_note(rows: int, features: int) -> str | None:
    """A warning where there are fewer than 10 training rows per feature."""
    if rows >= ROWS_PER_FEATURE * features:
        return None
    return (
        f"{rows} training rows for {features} features: fewer than {ROWS_PER_FEATURE} rows per feature; "
        f"at most {advised_most_features(rows)} features are advised (a smaller feature set, or feature_selection)"
    )


def _near_constant(sample: np.ndarray, columns: Sequence[str]) -> dict[str, str]:
    """A value that fills more than half of a column is its median, so that is the one to count."""
    middle = len(sample) // 2
    share = np.mean(sample == np.partition(sample, middle, axis=0)[middle], axis=0)
    return {
        name: f"one value fills {own:.2%} of the fit rows"
        for name, own in zip(columns, share, strict=True)
        if own > CONSTANT_SHARE
    }


def _correlated(sample: np.ndarray, names: Sequence[str]) -> dict[str, str]:
    """Walk the columns, the most interpretable first; one that a kept column stands for is dropped."""
    rho = _correlation(sample)
    kept: list[int] = []
    dropped: dict[str, str] = {}
    for position in sorted(range(len(names)), key=lambda position: interpretability(names[position])):
        closest = kept[int(np.argmax(rho[position, kept]))] if kept else position
        if kept and rho[position, closest] > MAX_CORRELATION:
            dropped[names[position]] = f"|rho| {rho[position, closest]:.2f} with {names[closest]}"
        else:
            kept.append(position)
    return dropped


def _correlation(sample: np.ndarray) -> np.ndarray:
    """|Pearson's rho| between the columns, rounded so that the order of a sum in BLAS decides nothing, `(F, F)`."""
    centred = sample - sample.mean(axis=0)
    centred /= np.sqrt(np.sum(centred**2, axis=0))
    with one_blas_thread():
        rho: np.ndarray = np.round(np.abs(centred.T @ centred), 9)
    return rho


def interpretability(name: str) -> tuple[int, int, int, str]:
    """Sort key, the best understood column first: category, bars that it looks back, place in the catalogue."""
    category = category_of(name)
    rank = INTERPRETABLE.index(category) if category in INTERPRETABLE else len(INTERPRETABLE)
    if category == "other":
        return rank, 0, 0, name
    places = {feature.name: place for place, feature in enumerate(builtin_features())}
    return rank, find(name).lookback_bars(1), places.get(name, 0), name


def _unimportant(sample: np.ndarray, y: np.ndarray, names: Sequence[str], seed: int) -> dict[str, str]:
    """The columns that a seeded forest uses least; ties go to the more interpretable one."""
    from sklearn.ensemble import ExtraTreesClassifier

    forest = ExtraTreesClassifier(**FOREST, random_state=seed, n_jobs=thread_count())
    importance = forest.fit(sample.astype(np.float32), y).feature_importances_
    order = sorted(range(len(names)), key=lambda position: (-importance[position], interpretability(names[position])))
    count = max(1, round(KEPT_SHARE * len(names)))
    return {
        names[position]: f"importance {importance[position]:.2%}, place {place} of {len(names)}"
        for place, position in enumerate(order, start=1)
        if place > count
    }
