"""The newest bars of a symbol with the features that they can bear: what every test of columns looks at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from ohlcv_factory.audit.causality import (
    TESTS,
    Columns,
    Subject,
    bars_needed,
    columns_of,
    failures,
    finite,
    stream_against_batch,
)
from ohlcv_factory.audit.violation import Violation
from ohlcv_factory.bars.instruments import Instrument
from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.errors import FactoryError, UsageError
from ohlcv_factory.features import catalogue
from ohlcv_factory.features.feature import Feature, FeatureInputs
from ohlcv_factory.features.plugins import features_of_file

AUDITED_BARS = 5000
"""Newest bars that are looked at: enough for the look-back of hourly columns at five minutes."""


@dataclass(frozen=True)
class AuditedBars:
    """Bars of one symbol and the features that are to be audited on them."""

    bars: Bars
    instrument: Instrument
    wanted: tuple[Feature, ...]

    @classmethod
    def newest(
        cls, bars: Bars, instrument: Instrument, wanted: Sequence[Feature], last: int = AUDITED_BARS
    ) -> AuditedBars:
        """The last bars alone."""
        return cls(bars.slice(max(len(bars) - last, 0), len(bars)), instrument, tuple(wanted))

    @cached_property
    def left_out(self) -> dict[str, str]:
        """Columns that these bars cannot bear, and why."""
        return {one.name: reason for one in self.wanted if (reason := self._refusal(one))}

    @property
    def audited(self) -> tuple[Feature, ...]:
        """The others."""
        return tuple(feature for feature in self.wanted if feature.name not in self.left_out)

    @cached_property
    def columns(self) -> Columns:
        """Those columns of all bars, in full precision."""
        return columns_of(self.audited, self.bars, self.instrument.sessions)

    @cached_property
    def subject(self) -> Subject:
        """Of every test: the columns that can be computed."""
        whole = Subject(self.audited, self.bars, self.instrument.sessions, self.columns.values)
        return whole.keep([feature for feature in self.audited if feature.name not in self.columns.failures])

    def violations(self, test: str) -> Iterator[Violation]:
        """What one of `causality.TESTS` finds."""
        yield from TESTS[test](self.subject)

    def values(self) -> Iterator[Violation]:
        """Columns that cannot be computed, or are not numbers after their look-back."""
        yield from failures(self.columns, self.bars.symbol)
        yield from finite(self.subject)

    def streamed(self) -> Iterator[Violation]:
        """Columns that are another value bar by bar than in a batch; those that are no numbers are left to `values`."""
        broken = {violation.feature for violation in finite(self.subject)}
        names = [feature.name for feature in self.subject.features if feature.name not in broken]
        yield from stream_against_batch(self.bars, self.instrument.sessions, names)

    def _refusal(self, feature: Feature) -> str:
        """Why a feature cannot be audited on these bars, or an empty text."""
        needed = bars_needed(feature, self.bars.bar_seconds)
        if needed > len(self.bars):
            return f"the audit needs {needed} bars, it looks at {len(self.bars)}"
        try:
            feature.column(FeatureInputs(self.bars, self.instrument.sessions))
        except FactoryError as error:  # a timeframe that is no multiple of the bar; what else goes wrong is a violation
            return error.what
        except Exception:
            return ""
        return ""


def audited_features(names: Iterable[str] | None = None) -> tuple[Feature, ...]:
    """The features of those names, or the whole catalogue with the user's own. Raises UnknownNameError (2)."""
    return catalogue.catalogue() if names is None else tuple(catalogue.find(name) for name in names)


def features_of_files(paths: Iterable[str]) -> tuple[Feature, ...]:
    """Every column that these plugin files declared. Raises UsageError (2) where they declared none."""
    paths = list(paths)
    found = tuple(feature for path in paths for feature in features_of_file(path))
    if not found:
        raise UsageError(
            f"{', '.join(paths)} declares no feature.", where="--plugin", help="audit model NAME --plugin …"
        )
    return found
