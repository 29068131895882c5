"""Checks of rows: what a dataset stores, and how its rows are divided."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from ohlcv_factory.audit.duplicates import duplicated_rows
from ohlcv_factory.audit.foreknowledge import FOREKNOWLEDGE_LIMIT, Foreknowledge
from ohlcv_factory.audit.looks import MOST_LOOKS, looks_at
from ohlcv_factory.audit.outcome import Outcome, by_violations, judged, skipped
from ohlcv_factory.audit.overlap import TEST as OVERLAP
from ohlcv_factory.audit.overlap import gap_days, overlapping, overlapping_parts, twice_in
from ohlcv_factory.audit.stored_values import stored_values
from ohlcv_factory.audit.subject import StudyFolds, Subject
from ohlcv_factory.audit.violation import Violation, overall
from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.splits.chronological import PartShares

LAST_ROWS = 5000
"""Newest rows whose features are computed again."""
FEATURE_HORIZON = 5
"""Horizon of the labels that features are held against where they have no dataset."""


def stored(subject: Subject) -> Outcome:
    """Stored features and labels against those of the stored bars."""
    containers = _whole(subject)
    found = [violation for each in containers for violation in stored_values(each, LAST_ROWS)]
    rows = sum(len(each) for each in containers)
    return by_violations(found, f"{len(containers[0].feature_names)} columns, {rows} labels")


def foreknowledge(subject: Subject) -> Outcome:
    """No column that holds the answer."""
    containers = _whole(subject) or [dataset_of(each.bars, subject.columns) for each in subject.bars]
    known = [Foreknowledge.of(each) for each in containers]
    found, largest = [one for each in known for one in each.violations()], max(each.strongest for each in known)
    size = f"largest |correlation| {largest:.2f} of at most {FOREKNOWLEDGE_LIMIT}"
    return judged(not found, size, largest, found)


def spans(subject: Subject) -> Outcome:
    """Parts, inner rows and folds."""
    containers = _whole(subject)
    found = [violation for each in containers for violation in overlapping_parts(each)]
    found += list(_other_rows(subject))
    looked_at = "parts and inner rows"
    if subject.study is not None:
        found += list(_folds(subject.study))
        looked_at += f", {len(subject.study.records)} folds"
    gap = gap_days(containers[0])
    words = looked_at if gap is None else f"{looked_at}; {gap:.2f} days from the last train label to the next part"
    return by_violations(found, words)


def duplicates(subject: Subject) -> Outcome:
    """Rows that stand in two parts, or in the training and the tested rows of a fold."""
    containers = [*_whole(subject), *(_fold_containers(subject))]
    found = [violation for each in containers for violation in duplicated_rows(each)]
    return by_violations(found, f"{sum(len(each) for each in containers)} rows")


def looks(subject: Subject) -> Outcome:
    """The ledger, and the evaluations in the run folders beside it."""
    experiments, container = subject.experiments, _whole(subject)[0]
    if not len(container.rows("test")):
        return skipped("there is no test part")
    found = looks_at(experiments, container.fingerprint) if experiments else None
    if found is None:
        return skipped(f"no ledger in {experiments}: --experiments DIR")
    size = f"looks: {found.total}, at most {MOST_LOOKS}"
    if found.unentered:
        size += f"; {found.unentered} of them in no ledger"
    return judged(found.total <= MOST_LOOKS and not found.unentered, size, float(found.total))


def dataset_of(bars: Bars, columns: tuple[str, ...]) -> TimeSeriesDataContainer:
    """A small dataset of some columns of the bars, with the shipped labels. Raises DataError (65) for too few bars."""
    config = DatasetConfig(
        horizons=(FEATURE_HORIZON,), features=columns, embargo_days="auto", history_bars=0, parts=PartShares()
    )
    return TimeSeriesDataContainer.from_bars(bars, horizon=FEATURE_HORIZON, config=config)


def _whole(subject: Subject) -> list[TimeSeriesDataContainer]:
    """The containers with the parts of the dataset, not of a fold."""
    return [subject.study.whole] if subject.study is not None else list(subject.containers)


def _fold_containers(subject: Subject) -> list[TimeSeriesDataContainer]:
    if subject.study is None:
        return []
    return [subject.study.folds.part(fold) for fold in subject.study.folds.folds]


def _other_rows(subject: Subject) -> Iterator[Violation]:
    """A run that was fitted on other parts than those of its dataset."""
    recorded, container = subject.facts.get("row_digest"), subject.container
    if recorded is not None and recorded != container.row_digest():
        words = "the rows and parts that it was fitted on are not those of its dataset"
        yield overall(OVERLAP, "parts", ", ".join(container.symbols), words)


def _folds(study: StudyFolds) -> Iterator[Violation]:
    """Each fold by the rows that were written down; where these are not the recipe's, by their stretches of time."""
    symbols = ", ".join(study.whole.symbols)
    for record, fold in itertools.zip_longest(study.records, study.folds.folds):
        if record is None or fold is None:
            yield overall(OVERLAP, "folds", symbols, "the study holds another number of folds than its recipe makes")
            return
        name = f"fold {fold.number}"
        same = record["row_digest"] == study.folds.part(fold).row_digest()
        if not same:
            yield overall(OVERLAP, name, symbols, "it holds other rows than its recipe makes")
        rows, held = (study.folds.rows[fold.train_rows], study.folds.tested(fold)) if same else _recorded(study, record)
        yield from overlapping(study.whole, rows, held, f"{name}, train against tested")
        shared = twice_in([rows, held])
        if shared:
            yield overall(OVERLAP, f"{name}, rows", symbols, f"{shared} rows are learnt from and tested", float(shared))


def _recorded(study: StudyFolds, record: dict[str, object]) -> tuple[np.ndarray, np.ndarray]:
    return study.rows(record, "learnt_from"), study.rows(record, "tested")
