"""Checks of columns and labels: what every value of a dataset is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ohlcv_factory.audit.audited_bars import AuditedBars
from ohlcv_factory.audit.label_reach import Labeller, barrier_labeller, label_reach
from ohlcv_factory.audit.outcome import Outcome, by_violations, skipped
from ohlcv_factory.audit.stored_values import of_horizon
from ohlcv_factory.audit.subject import Subject
from ohlcv_factory.audit.violation import Violation
from ohlcv_factory.bars.instruments import Instrument
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.labelling import label_symbol

Look = Callable[[AuditedBars], Iterator[Violation]]


def values(subject: Subject) -> Outcome:
    """Each column computes and is a number."""
    return _over_bars(subject, AuditedBars.values)


def stream(subject: Subject) -> Outcome:
    """One bar at a time gives the batch."""
    return _over_bars(subject, AuditedBars.streamed)


def of_test(test: str) -> Callable[[Subject], Outcome]:
    """One of the tests of `causality.TESTS`."""
    return lambda subject: _over_bars(subject, lambda bars: bars.violations(test))


def label_reach_of(subject: Subject) -> Outcome:
    """Labels by every rule of the dataset; of features alone by those of the instrument."""
    found: list[Violation] = []
    looked_at: list[str] = []
    for place, each in enumerate(subject.bars):
        for name, labeller in _labellers(subject, place, each.instrument):
            looked_at.append(name)
            found += label_reach(each.bars, each.instrument.sessions, labeller, name)
    return by_violations(found, ", ".join(dict.fromkeys(looked_at))) if looked_at else skipped("there are no barriers")


def _over_bars(subject: Subject, look: Look) -> Outcome:
    if not any(each.audited for each in subject.bars):
        reasons = [reason for each in subject.bars for reason in each.left_out.values()]
        return skipped(reasons[0] if reasons else "no column to audit")
    found = [violation for each in subject.bars for violation in look(each)]
    return by_violations(found, _looked_at(subject))


def _looked_at(subject: Subject) -> str:
    counts = [len(each.bars) for each in subject.bars]
    columns = {feature.name for each in subject.bars for feature in each.audited}
    left_out = {name for each in subject.bars for name in each.left_out} - columns
    words = f"{len(columns)} columns on {sum(counts)} bars"
    return f"{words}, {len(left_out)} need more bars: {_shown(sorted(left_out))}" if left_out else words


def _shown(names: list[str]) -> str:
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")


def _labellers(subject: Subject, place: int, instrument: Instrument) -> Iterator[tuple[str, Labeller]]:
    if not subject.containers:
        for horizon in sorted(instrument.barriers):
            yield f"labels of horizon {horizon}", barrier_labeller(instrument.barrier(horizon))
    for container in subject.containers:
        yield f"labels of horizon {container.horizon}", _labeller(container, container.markets[place].instrument)


def _labeller(container: TimeSeriesDataContainer, instrument: Instrument) -> Labeller:
    """The labels of a dataset, without the finer bars that settle double touches."""
    config = of_horizon(container.config, container.horizon)
    return lambda bars: label_symbol(bars, None, instrument, config)[container.horizon].path
