"""Every check of an audit: its name, what must hold, what to do where it does not, and which subjects it is for."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ohlcv_factory.audit import column_checks, fit_checks, row_checks
from ohlcv_factory.audit.outcome import Finding, Outcome, skipped
from ohlcv_factory.audit.subject import Kind, Subject
from ohlcv_factory.audit.violation import overall
from ohlcv_factory.errors import FactoryError, UsageError, VerificationError, unknown_name
from ohlcv_factory.runtime.progress import track

COLUMNS: tuple[Kind, ...] = ("dataset", "features", "model", "run", "study")
DATA: tuple[Kind, ...] = ("dataset", "run", "study")
FITTED: tuple[Kind, ...] = ("model", "run", "study")


@dataclass(frozen=True)
class Check:
    """One check."""

    name: str
    kinds: tuple[Kind, ...]
    look: Callable[[Subject], Outcome]
    holds: str
    """What must hold."""
    advice: str
    """What to do where it does not."""


CHECKS: tuple[Check, ...] = (
    Check(
        "values",
        COLUMNS,
        column_checks.values,
        "every column computes, and is a number after its look-back, on a flat price and without volume too",
        "mend the column, or declare a longer look-back",
    ),
    Check(
        "truncation",
        COLUMNS,
        column_checks.of_test("truncation"),
        "the first k bars alone give the bits of the whole series",
        "the column reads later bars: compute row t from rows up to t, and build and train again",
    ),
    Check(
        "corrupted-future",
        COLUMNS,
        column_checks.of_test("corrupted future"),
        "later bars, whatever they are, change no earlier value",
        "the column reads later bars: compute row t from rows up to t, and build and train again",
    ),
    Check(
        "other-symbol",
        COLUMNS,
        column_checks.of_test("other symbol"),
        "computing another symbol in between changes nothing",
        "the column keeps state between calls: remove it",
    ),
    Check(
        "lookback",
        COLUMNS,
        column_checks.of_test("declared look-back"),
        "after the declared look-back a value does not depend on where the series starts",
        "declare a longer look-back",
    ),
    Check(
        "stream",
        COLUMNS,
        column_checks.stream,
        "one bar at a time, as a live session computes, gives the batch",
        "declare the look-back that the column needs",
    ),
    Check(
        "label-reach",
        COLUMNS,
        column_checks.label_reach_of,
        "bars after a label's end change no label, the bar at its end does",
        "the label ends later than it says: mend its end, which purging relies on",
    ),
    Check(
        "stored-values",
        DATA,
        row_checks.stored,
        "the stored features and labels are those that the stored bars give",
        "do not use the dataset: build it again from the bars",
    ),
    Check(
        "label-in-features",
        ("dataset", "features", "run", "study"),
        row_checks.foreknowledge,
        "no column knows the next return, or the label's direction, better than any honest column could",
        "the column holds the answer: take it out, build and train again",
    ),
    Check(
        "span-overlap",
        DATA,
        row_checks.spans,
        "no label of a training row meets a held-out one, by scheduled ends, on both sides; in parts, inner rows and folds",
        "purge by the scheduled label end: build the parts or folds with the factory, and train again",
    ),
    Check(
        "duplicated-rows",
        DATA,
        row_checks.duplicates,
        "no row stands in two parts: by its bar, by its features, by the bars before it",
        "remove the copies from the bars, and build again",
    ),
    Check(
        "test-looks",
        DATA,
        row_checks.looks,
        "the test part was looked at once at most, and every look is in the ledger",
        "what was chosen by the test part is no longer tested by it: keep new bars back, and count the looks as trials",
    ),
    Check(
        "predict-path",
        FITTED,
        fit_checks.path,
        "from raw bars to probabilities: truncation, corrupted future, and bar by bar, to the bit",
        "something between bars and probabilities reads later bars or other rows: predict each row by itself",
    ),
    Check(
        "stored-predictions",
        ("run", "study"),
        fit_checks.stored_predictions,
        "the stored predictions are those that the model makes of the raw bars",
        "the scores belong to other predictions: train again",
    ),
    Check(
        "fitted-state",
        ("features", *FITTED),
        fit_checks.state,
        "other rows than a fit may know change no bit of scaler, selection, model, stopping, calibrator, decision rule",
        "fit on the fit rows alone, stop on the stop rows, calibrate on the calibrate rows, and train again",
    ),
    Check(
        "determinism",
        FITTED,
        fit_checks.determinism,
        "fitted again and asked again, the same bytes",
        "draw from the model's seed alone; the same package versions and threads as in the run",
    ),
    Check(
        "shuffled-labels",
        FITTED,
        fit_checks.canary,
        "fitted on shuffled labels, the model does not know those of the held-out rows",
        "the fit sees held-out answers: look for labels in its inputs or files",
    ),
    Check(
        "random-walk-null",
        COLUMNS,
        fit_checks.null,
        "the same fit finds no direction in a random walk",
        "something reads the future: run the other checks, and believe no score until it is found",
    ),
    Check(
        "planted-signal",
        FITTED,
        fit_checks.power,
        "the same fit finds a direction that is there",
        "the model cannot see what is plain: its settings are too tight or its inputs wrong; 'no edge' means little",
    ),
)
"""In the order of the table: what takes no fit comes first."""


def audit(subject: Subject, names: Sequence[str] | None = None) -> list[Finding]:
    """The checks of a subject, all or those of these names, one after the other.

    Raises UnknownNameError (2) for a name that no check has, UsageError (2) for a check that is not for such a subject, or
    where none of the checks could be made.
    """
    chosen = checks_for(subject.kind, names)
    findings = [_finding(check, subject) for check in track(chosen, "auditing")]
    if all(finding.outcome.verdict == "skipped" for finding in findings):
        reasons = "; ".join(dict.fromkeys(finding.outcome.size for finding in findings))
        raise UsageError("none of the checks could be made.", where=subject.name, help=reasons)
    return findings


def checks_for(kind: Kind, names: Sequence[str] | None = None) -> tuple[Check, ...]:
    """The checks of a kind of subject, in their order. Raises as `audit` does."""
    offered = {check.name: check for check in CHECKS}
    for name in names or ():
        if name not in offered:
            raise unknown_name("check", name, offered, where="--check")
        if kind not in offered[name].kinds:
            own = ", ".join(check.name for check in CHECKS if kind in check.kinds)
            raise UsageError(f"check {name!r} is not for kind {kind!r}.", where="--check", help=f"offered: {own}")
    return tuple(check for check in CHECKS if kind in check.kinds and (names is None or check.name in names))


def failed(findings: Sequence[Finding]) -> bool:
    """Whether any check fails."""
    return any(finding.outcome.verdict == "fail" for finding in findings)


def _finding(check: Check, subject: Subject) -> Finding:
    outcome = _outcome(check, subject)
    return Finding(check.name, outcome, check.advice if outcome.verdict == "fail" else "")


def _outcome(check: Check, subject: Subject) -> Outcome:
    """What a check says; one that the factory refuses for good reason is skipped, any other error is a failure.

    What fits on garbage and on noise have to warn of is of no use to anybody.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return check.look(subject)
    except VerificationError as error:
        return _error(subject, error.what)
    except FactoryError as error:
        return skipped(error.what)
    except Exception as error:  # a plugin's: whatever it raises, the other checks go on
        return _error(subject, f"{type(error).__name__}: {error}")


def _error(subject: Subject, words: str) -> Outcome:
    return Outcome("fail", words, None, (overall("error", subject.name, "", words),))
