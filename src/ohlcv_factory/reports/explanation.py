"""What a label and every number on a page mean, and what they do not mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ohlcv_factory.evaluation.scorecard import THRESHOLDS
from ohlcv_factory.evaluation.sharpe import CONFIDENCE
from ohlcv_factory.evaluation.verdict import MIN_DIRECTION_ROWS, MIN_SESSIONS, MIN_TRADES
from ohlcv_factory.reports.glossary import BASELINES, NUMBERS
from ohlcv_factory.reports.page import heading, paragraph, table
from ohlcv_factory.reports.words import label_rule, listing, percent, plural

ENTRIES = {"next_open": "the open of the next bar", "close": "the close of the same bar"}


LABEL_WORDS = {
    "triple_barrier": (
        "Two price barriers stand around that price, at distances measured in ATR(14), the average range of the last "
        "bars. If the upper one is touched first the label is long; if the lower one, short; if neither within the given "
        "number of bars, neutral. The horizon is the name of a barrier setting, not a waiting time."
    ),
    "fixed_horizon": (
        "It looks at the close a fixed number of bars ahead, the horizon, and at nothing on the way. If the price has "
        "risen by at least the threshold the label is long; if it has fallen by as much, short; else neutral. The "
        "threshold is a multiple of σ, the standard deviation of the last log returns, scaled to the horizon."
    ),
}
COST_WORDS = " A move that does not earn more than its own costs is neutral."
SESSION_WORDS = " There is no label, and no position, beyond the end of its session."


def explanation(manifests: Sequence[Mapping[str, Any] | None], horizons: Sequence[int], which_rows: str) -> str:
    """The one-page explanation; with the barriers of each dataset whose manifest is at hand.

    `which_rows` says on which rows the scores are: `part_words`, or what a study says of its folds.
    """
    return (
        heading("The label")
        + "".join(dict.fromkeys(piece for each in manifests for piece in _label_pieces(each, horizons)))
        + random_walk_words(manifests[0], horizons)
        + heading("Which rows were looked at")
        + paragraph(which_rows)
        + heading("The numbers")
        + table(("Number", "What it says", "What it does not say"), NUMBERS, kind="words")
        + heading("Why intervals, and when this page says “edge”")
        + _interval_words()
        + heading("The specification's thresholds")
        + _threshold_words()
        + heading("The baselines")
        + table(("Baseline", "What it does"), BASELINES, kind="words")
        + heading("Money and costs")
        + _money_words()
    )


def label_words(manifest: Mapping[str, Any] | None, horizons: Sequence[int]) -> str:
    """What a label is, with the rule of every horizon and symbol."""
    return "".join(_label_pieces(manifest, horizons))


def _label_pieces(manifest: Mapping[str, Any] | None, horizons: Sequence[int]) -> list[str]:
    """The paragraph on labels in general, and one for every rule."""
    config = manifest["config"] if manifest else {}
    entry = ENTRIES.get(config.get("entry", ""), "the entry price")
    words = f"At the close of each bar a label asks what happens next, starting from {entry}. "
    words += LABEL_WORDS[config.get("label", "triple_barrier")]
    words += COST_WORDS if config.get("cost_aware") else ""
    words += SESSION_WORDS if config.get("session_end") else ""
    return [paragraph(words), *(paragraph(line) for line in _rules(manifest, horizons))]


def random_walk_words(manifest: Mapping[str, Any] | None = None, horizons: Sequence[int] = ()) -> str:
    """Why class shares stand beside those of a random walk."""
    words = (
        "A driftless random walk, on which nothing can be predicted, also yields labels, and with unequal barriers it "
        "yields unequal classes: the nearer barrier is hit more often. Class shares therefore stand beside the walk's. "
        "A class that is as frequent as on the walk says something about the rule, not about the market. "
    )
    shares = [
        f"At horizon {horizon} on {symbol} the walk gives {_share_words(labels['random_walk_shares'])}; "
        f"this data has {_share_words(labels['class_shares'])}."
        for horizon in horizons
        for symbol, labels in _labels_of(manifest, horizon)
    ]
    return paragraph(words + " ".join(shares[:1]))


def _rules(manifest: Mapping[str, Any] | None, horizons: Sequence[int]) -> list[str]:
    return [
        f"Horizon {horizon}, {symbol}: {label_rule(labels['rule'])}. Labels end after {labels['mean_bars_to_end']:.1f} "
        f"bars on average; {percent(labels['timed_out_share'])} time out."
        for horizon in horizons
        for symbol, labels in _labels_of(manifest, horizon)
    ]


def _labels_of(manifest: Mapping[str, Any] | None, horizon: int) -> list[tuple[str, Mapping[str, Any]]]:
    symbols = manifest["summary"]["symbols"] if manifest else {}
    return [
        (name, each["horizons"][str(horizon)]) for name, each in symbols.items() if str(horizon) in each["horizons"]
    ]


def _share_words(shares: Mapping[str, float]) -> str:
    return listing(f"{percent(share)} {name}" for name, share in shares.items())


def part_words(part: str) -> str:
    """On which rows the scores of a run are."""
    return (
        f"Models learn on train; every score here is on {part}, later in time and behind a gap. {part.capitalize()} "
        "also serves to choose among models, so the best of several looks better here than it will do later. "
        "The test part was not looked at for this page: it is there for one final look at one chosen model."
    )


def _interval_words() -> str:
    return paragraph(
        "Scores of one stretch of history scatter. A 90 % interval says how far a score may be off by chance alone: it "
        "is built so that 9 of 10 such intervals hold the true value and 1 of 20 lies wholly above it. Of twenty models "
        "without skill, one is then expected to look good in any single number."
    ) + paragraph(
        "“Edge” therefore asks for four things at once: the interval of the net Sharpe ratio and that of the direction "
        "edge both lie above zero, and the Sharpe ratio lies above every baseline's (for the random one, above the upper "
        "end of its spread), and the deflated Sharpe ratio is at least "
        f"{percent(CONFIDENCE, 0)}: more was earned than the best of all trials on this data would have earned without any "
        f"skill. Under {plural(MIN_SESSIONS, 'session')}, {plural(MIN_TRADES, 'trade')} or "
        f"{MIN_DIRECTION_ROWS:.0f} independent direction rows the page says “too little data” "
        "and how many days are missing at this Sharpe ratio. “No edge found” means that these rows do not show one, not "
        "that there is none."
    )


def _threshold_words() -> str:
    return paragraph(
        f"The specification names macro-F1 > {THRESHOLDS['macro_f1']} and Sharpe > {THRESHOLDS['sharpe_ratio']}. Both are "
        "shown, and neither is evidence. Whether a barrier is reached in time depends on how much the price moves, and "
        "that can be foreseen even on a random walk, for instance from the hour of the day. A model that only knows when "
        "“neutral” is likely, and tosses a coin for the side, can pass macro-F1 0.35 on a random walk. And over short "
        "spans chance alone, before costs, passes Sharpe 0.3 almost every second time."
    )


def _money_words() -> str:
    return paragraph(
        "A decision at the close of a bar is filled at the next open. One position per symbol; the same side or neutral "
        "holds it, the other side turns it; it ends at its barriers, at its time-out, at a contract roll or with the "
        "part. When one bar touches both barriers and no finer bars tell the order, the stop is assumed to come first. "
        "Each side pays the instrument's costs, named under “What was asked”. Financing, borrowing, partial fills and "
        "market impact are not modelled."
    )
