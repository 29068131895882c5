"""All audits of the features of some bars in one go: what `ohlcv-factory audit features` runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ohlcv_factory.audit.causality import TESTS, audit_columns, bars_needed, stream_against_batch
from ohlcv_factory.audit.fitted_state import audit_fit
from ohlcv_factory.audit.label_reach import barrier_labeller, label_reach
from ohlcv_factory.audit.violation import Violation, largest_of_each
from ohlcv_factory.bars.instruments import Instrument
from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.errors import DataError, FactoryError
from ohlcv_factory.features import catalogue
from ohlcv_factory.features.feature import Feature, FeatureInputs
from ohlcv_factory.features.sets import SetRules
from ohlcv_factory.training.settings import TrainerConfig

AUDITED_BARS = 5000
"""Newest bars that are looked at: enough for the look-back of hourly columns at five minutes."""


@dataclass(frozen=True)
class BarAudit:
    """What was looked at on the bars of one symbol, and what was found."""

    symbol: str
    bars: int
    columns: tuple[str, ...]
    violations: tuple[Violation, ...]
    left_out: dict[str, str]
    """Columns that these bars cannot carry, and tests that they cannot bear, with the reason."""

    @property
    def counts(self) -> dict[str, int]:
        """Violations of every test that ran."""
        found = Counter(violation.test for violation in self.violations)
        names = ("computes", *TESTS, "stream against batch", "label reach", "fitted state")
        return {name: found[name] for name in names if name not in self.left_out}


def audit_bars(bars: Bars, instrument: Instrument, features: Sequence[Feature], last: int = AUDITED_BARS) -> BarAudit:
    """Audit features of the catalogue, the labels and the fit, on the newest `last` bars of one symbol.

    Raises DataError (65) where no feature can be audited on so few bars.
    """
    newest = bars.slice(max(len(bars) - last, 0), len(bars))
    left_out = {one.name: reason for one in features if (reason := _refusal(one, newest, instrument))}
    audited = [feature for feature in features if feature.name not in left_out]
    if not audited:
        raise DataError(
            f"{bars.symbol}: no feature can be audited on {len(newest)} bars.",
            where=bars.symbol,
            help="; ".join(f"{name}: {reason}" for name, reason in list(left_out.items())[:3]),
        )
    found = list(audit_columns(audited, newest, instrument.sessions))
    broken = {violation.feature for violation in found if violation.test in ("computes", "finite")}
    sound = [feature.name for feature in audited if feature.name not in broken]
    found += stream_against_batch(newest, instrument.sessions, sound)
    found += _labels(newest, instrument)
    found += _fit(newest, sound, left_out)
    names = tuple(feature.name for feature in audited)
    return BarAudit(bars.symbol, len(newest), names, tuple(largest_of_each(found)), left_out)


def audited_features(names: Iterable[str] | None = None) -> tuple[Feature, ...]:
    """The features of those names, or the whole catalogue with the user's own. Raises UnknownNameError (2)."""
    return catalogue.catalogue() if names is None else tuple(catalogue.find(name) for name in names)


def _refusal(feature: Feature, bars: Bars, instrument: Instrument) -> str:
    """Why a feature cannot be audited on these bars, or an empty text."""
    needed = bars_needed(feature, bars.bar_seconds)
    if needed > len(bars):
        return f"the audit needs {needed} bars, it looks at {len(bars)}"
    try:
        feature.column(FeatureInputs(bars, instrument.sessions))
    except FactoryError as error:  # a timeframe that is no multiple of the bar; what else goes wrong is a violation
        return error.what
    except Exception:
        return ""
    return ""


def _labels(bars: Bars, instrument: Instrument) -> Iterator[Violation]:
    for horizon in sorted(instrument.barriers):
        labeller = barrier_labeller(instrument.barrier(horizon))
        yield from label_reach(bars, instrument.sessions, labeller, f"labels of horizon {horizon}")


def _fit(bars: Bars, names: Sequence[str], left_out: dict[str, str]) -> list[Violation]:
    """The fit of a logistic regression with a selection; too few bars for a dataset are a reason to leave it out."""
    try:
        config = DatasetConfig(horizons=(5,), features=tuple(names), embargo_days="auto", history_bars=0)
        container = TimeSeriesDataContainer.from_bars(bars, horizon=5, config=config)
    except FactoryError as error:
        left_out["fitted state"] = error.what
        return []
    sets = {"audited": SetRules(include=container.feature_names)}
    settings = TrainerConfig(
        model_name="logistic", horizon=5, feature_set="audited", feature_sets=sets, feature_selection="correlation"
    )
    return list(audit_fit(settings, container))
