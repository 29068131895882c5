"""What can be measured of a dataset before a model is chosen: rows, columns that say the same, bars to look back on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ohlcv_factory.config import Settings, setting
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.errors import UsageError
from ohlcv_factory.features.catalogue import role_of
from ohlcv_factory.features.selection import MAX_CORRELATION, correlation
from ohlcv_factory.features.sets import all_sets, resolve
from ohlcv_factory.studies.selection_guide import Fact
from ohlcv_factory.training.fitting import inner_parts

CORRELATED_SET = "itransformer_optimal"
"""The set whose correlated columns the tree asks about: that of the model which it advises for many of them."""


class Wishes(Settings):
    """What nobody can measure, and what is wanted of the model."""

    interpretable: bool = setting(False, "People must be able to read the model.")
    latency_ms: float | None = setting(None, "Longest that one answer may take, in milliseconds.", gt=0)
    context_bars: int | None = setting(None, "Bars that one answer is to look back on.", ge=1)
    covariates: bool = setting(False, "Columns that are known in advance are to be made use of.")
    minutes: float | None = setting(None, "Longest that a training may take.", gt=0)
    correlation: float = setting(MAX_CORRELATION, "|rho| from which on two columns count as correlated.", gt=0, lt=1)
    checkpoint: str | None = setting(None, "Folder or name of a pre-trained checkpoint, for foundation models.")


@dataclass(frozen=True)
class SetFacts:
    """One feature set on the fit rows of a dataset."""

    name: str
    columns: int
    rows_per_column: float
    correlated_pairs: int
    """Pairs of columns with |rho| above the limit."""
    correlated_columns: int
    """Columns that are in such a pair."""

    def plain(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


@dataclass(frozen=True)
class DatasetFacts:
    """What was measured of a container's train part."""

    train_rows: int
    """Scored ones."""
    fit_rows: int
    """Those of them that a model is fitted on."""
    sets: tuple[SetFacts, ...]
    """Of every built-in set that the dataset carries columns of."""
    lookback_available: int
    """Bars that a window may have."""
    horizons: tuple[int, ...]
    """Of the dataset."""
    known_columns: tuple[str, ...]
    """Columns whose coming values are known in advance."""

    def plain(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "horizons": list(self.horizons), "known_columns": list(self.known_columns)}

    def set_of(self, name: str) -> SetFacts | None:
        """The facts of a set; None where the dataset carries none of its columns."""
        return next((each for each in self.sets if each.name == name), None)


def dataset_facts(container: TimeSeriesDataContainer, limit: float = MAX_CORRELATION) -> DatasetFacts:
    """Rows, sets and look-back of a container's train part; |rho| is measured on at most 20,000 of its fit rows."""
    rows = container.rows("train", scored=True)
    fit = rows[inner_parts(container, rows).fit]
    return DatasetFacts(
        train_rows=len(rows),
        fit_rows=len(fit),
        sets=_set_facts(container, fit, limit),
        lookback_available=container.config.history_bars + 1,
        horizons=container.config.horizons,
        known_columns=tuple(name for name in container.feature_names if role_of(name) == "known"),
    )


def tree_facts(found: DatasetFacts, wishes: Wishes) -> dict[str, Fact]:
    """What the tree asks about, by the names that its questions use."""
    return {
        "train_rows": Fact(found.train_rows, f"{found.train_rows:,} scored train rows", "measured"),
        "interpretable": _wanted(wishes.interpretable, "interpretable"),
        "latency_ms": _limit(wishes.latency_ms, "ms for an answer"),
        "correlated_columns": _correlated(found.set_of(CORRELATED_SET), wishes.correlation),
        "context_bars": _limit(wishes.context_bars, f"bars of context ({found.lookback_available} are there)"),
        "horizons_with_covariates": _covariates(found, wishes),
    }


def _set_facts(container: TimeSeriesDataContainer, rows: np.ndarray, limit: float) -> tuple[SetFacts, ...]:
    names = container.feature_names
    rho = correlation(container.matrix(rows, names))
    np.fill_diagonal(rho, 0.0)
    above = rho > limit
    return tuple(
        _one_set(name, [names.index(column) for column in columns], above, len(rows))
        for name in all_sets()
        if (columns := _columns(name, names))
    )


def _columns(name: str, offered: Sequence[str]) -> tuple[str, ...]:
    try:
        return resolve(name, offered)
    except UsageError:  # none of its columns is here
        return ()


def _one_set(name: str, places: list[int], above: np.ndarray, rows: int) -> SetFacts:
    own = above[np.ix_(places, places)]
    return SetFacts(name, len(places), rows / len(places), int(own.sum()) // 2, int(own.any(axis=0).sum()))


def _wanted(given: bool, what: str) -> Fact:
    return Fact(given, f"{what}: {'wanted' if given else 'not asked for'}", "asked" if given else "not asked")


def _limit(given: float | None, unit: str) -> Fact:
    if given is None:
        return Fact(None, f"not asked for: {unit}", "not asked")
    return Fact(given, f"wanted: {given:g} {unit}", "asked")


def _correlated(found: SetFacts | None, limit: float) -> Fact:
    if found is None:
        return Fact(0, f"the dataset carries no column of {CORRELATED_SET}", "measured")
    words = (
        f"{found.correlated_columns} of {found.columns} columns of {found.name} are in one of {found.correlated_pairs} pairs "
        f"with |rho| > {limit:g}"
    )
    return Fact(found.correlated_columns, words, "measured")


def _covariates(found: DatasetFacts, wishes: Wishes) -> Fact:
    """The number of horizons where covariates are wanted and there; a run has one horizon, so several mean several runs."""
    counted = f"{len(found.horizons)} horizons, {len(found.known_columns)} columns known in advance"
    if not wishes.covariates:
        return Fact(None, f"covariates not asked for ({counted})", "not asked")
    return Fact(len(found.horizons) if found.known_columns else 0, f"covariates wanted: {counted}", "measured")
