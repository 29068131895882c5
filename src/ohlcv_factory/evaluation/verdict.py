"""What the scores of a model allow to say, in words: from intervals, baselines and the number of trials behind them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ohlcv_factory.evaluation.baselines import CHANCE
from ohlcv_factory.evaluation.sharpe import CONFIDENCE

MIN_SESSIONS = 20
MIN_TRADES = 30
MIN_DIRECTION_ROWS = 50.0
"""Sum of average uniqueness, as in the rule for calibration rows."""
ROUNDING = 1e-9
"""An edge below this is rounding: a model that always takes one side has one of 1e-17."""


@dataclass(frozen=True)
class Verdict:
    """What the numbers allow to say."""

    code: Literal["edge", "no edge found", "too little data"]
    words: str


def verdict(scores: Mapping[str, Any], baseline_scores: Mapping[str, Mapping[str, Any]]) -> Verdict:
    """Judge one model conservatively: an edge must show in direction *and* in net Sharpe, beat every baseline and chance.

    "too little data" under 20 sessions, 30 trades or 50 independent direction rows, unless even the upper end of the
    Sharpe interval is a loss: that is enough to say "no edge found". "edge" when both 90 % intervals lie above chance,
    the Sharpe ratio above each baseline's (above the upper end of random's), and the deflated one, by the number of
    trials on the same data, says with 95 % that it is more than the best of them without skill. Else "no edge found".
    """
    costs = _cost_words(scores["trading"])
    if _lacking(scores) and not _lies_below_zero(scores["trading"]["sharpe_interval"]):
        return Verdict("too little data", f"Too little data to tell: {_needed(scores)}{costs}")
    missing = _missing_evidence(scores, baseline_scores)
    if missing:
        return Verdict("no edge found", f"No edge found: {'; '.join(missing)}.{_longer(scores)}{costs}")
    trading, direction, trials = scores["trading"], scores["classification"], scores["trials"]
    return Verdict(
        "edge",
        f"Net Sharpe {trading['sharpe_ratio']:.2f} (90 % interval {_ends(trading['sharpe_interval'])}) over "
        f"{trading['sessions']} sessions and above every baseline. "
        f"Direction hit rate {direction['direction_edge']:+.3f} against its independent rate "
        f"{direction['independent_rate']:.3f} (90 % interval {_ends(direction['direction_edge_interval'], '+.3f')}). "
        f"{_tried(trials)}: a deflated Sharpe ratio of {_certainty(trials['deflated_sharpe_ratio'])}.{costs}",
    )


def _lacking(scores: Mapping[str, Any]) -> str:
    """What falls short of the least amount of data, in words; empty when nothing does."""
    return ", ".join(
        f"{have:.0f} {name} (at least {least:.0f})" for name, have, least in _amounts(scores) if have < least
    )


def _amounts(scores: Mapping[str, Any]) -> tuple[tuple[str, float, float], ...]:
    trading, direction = scores["trading"], scores["classification"]
    return (
        ("sessions", trading["sessions"], MIN_SESSIONS),
        ("trades", trading["num_trades"], MIN_TRADES),
        ("independent direction rows", direction["direction_effective_rows"], MIN_DIRECTION_ROWS),
    )


def _needed(scores: Mapping[str, Any]) -> str:
    """How many more days it takes at the measured Sharpe ratio and the measured rate of trades and directions, and why."""
    sessions, ratio = scores["trading"]["sessions"], scores["trading"]["sharpe_ratio"]
    record = scores["trials"]["deflated_track_record"]
    least = max((_sessions_until(have, wanted, sessions) for _, have, wanted in _amounts(scores)), key=_or_infinite)
    lacking, measured = _lacking(scores), f"at the measured net Sharpe of {_number(ratio)}"
    if least is None:
        return f"it cannot be said how many more days are needed. {lacking}, and no rate to reckon with."
    if record is None:
        never = f"; {measured} no record is long enough to show an edge" if ratio is not None and ratio <= 0 else ""
        return f"{_more(least - sessions)} needed for a judgement. {lacking}{never}."
    needed = max(least, math.ceil(record))
    told = f"{measured} it takes {needed:,} to tell it from {_chance(scores['trials'])}"
    return f"{_more(needed - sessions)} needed. {lacking}; {told}."


def _sessions_until(have: float, least: float, sessions: int) -> int | None:
    """Sessions that hold the least amount, at the rate so far; None where nothing has come so far."""
    if have >= least:
        return sessions
    return math.ceil(sessions * least / have) if have > 0 else None


def _or_infinite(sessions: int | None) -> float:
    return math.inf if sessions is None else sessions


def _longer(scores: Mapping[str, Any]) -> str:
    """How many more days a profit that is not evidence yet would take to become it; empty for others."""
    record, sessions = scores["trials"]["deflated_track_record"], scores["trading"]["sessions"]
    if record is None or record <= sessions:
        return ""
    more = _more(math.ceil(record) - sessions)
    return f" At this Sharpe ratio it would take {more} to tell it from {_chance(scores['trials'])}."


def _cost_words(trading: Mapping[str, Any]) -> str:
    """The cost per side at which nothing would be left, beside the one paid; empty without a trade."""
    level, paid = trading.get("break_even_cost_bps"), trading.get("cost_bps")
    if level is None or paid is None:
        return ""
    if level <= 0:
        return " It loses before costs."
    return f" It paid {paid:.2f} bp per side and breaks even at {level:.2f} bp."


def _tried(trials: Mapping[str, Any]) -> str:
    count = trials["count"]
    return "It is the only trial on this data" if count == 1 else f"{count:,} trials stand behind it on this data"


def _chance(trials: Mapping[str, Any]) -> str:
    """What a Sharpe ratio is to be told from."""
    return "0" if trials["count"] == 1 else f"the best of {trials['count']:,} trials without skill"


def _more(days: int) -> str:
    return f"{days:,} more day{'' if days == 1 else 's'}"


def _certainty(share: float | None) -> str:
    """A probability that is never rounded up to certainty."""
    return "undefined" if share is None else "over 99.9 %" if share > 0.999 else f"{share:.1%}".replace("%", " %")


def _missing_evidence(scores: Mapping[str, Any], baseline_scores: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Every reason against an edge, with its numbers."""
    trading, direction = scores["trading"], scores["classification"]
    own, own_ends = trading["sharpe_ratio"], trading["sharpe_interval"]
    edge, edge_ends = direction["direction_edge"], direction["direction_edge_interval"]
    reasons = []
    if not _lies_above_zero(own_ends):
        reasons.append(f"net Sharpe {_number(own)}, 90 % interval {_ends(own_ends)}")
    if not _lies_above_zero(edge_ends):
        reasons.append(
            f"direction hit rate {_number(edge, '+.3f')} against its independent rate, "
            f"90 % interval {_ends(edge_ends, '+.3f')}"
        )
    to_beat = dict(_to_beat(name, block["trading"]) for name, block in baseline_scores.items())
    unbeaten = [
        f"{words} {least:.2f}" for words, least in to_beat.items() if least is not None and not _above(own, least)
    ]
    if unbeaten:
        reasons.append(f"net Sharpe not above {', '.join(unbeaten)}")
    return reasons + (_undeflated(scores["trials"]) if _above(own, 0.0) else [])


def _undeflated(trials: Mapping[str, Any]) -> list[str]:
    """That the Sharpe ratio is not more than so many trials show by chance; empty where it is."""
    deflated = trials["deflated_sharpe_ratio"]
    if deflated is not None and deflated >= CONFIDENCE:
        return []
    best = f"the best of {trials['count']:,} trials without skill would show {_number(trials['expected_maximum_sharpe'])}, "
    rule = f"deflated Sharpe ratio {_certainty(deflated)} (at least {CONFIDENCE * 100:.0f} %)"
    return [rule if trials["count"] == 1 else best + rule]


def _to_beat(name: str, trading: Mapping[str, Any]) -> tuple[str, float | None]:
    """A baseline and its Sharpe ratio; of chance the upper end of its spread. None where it never traded."""
    spread, ratio = trading["sharpe_interval"], trading["sharpe_ratio"]
    return (f"the upper end of {name}", float(spread[1])) if name == CHANCE and spread else (name, ratio)


def _above(value: float | None, least: float) -> bool:
    return value is not None and value > least


def _lies_above_zero(interval: Sequence[float] | None) -> bool:
    return interval is not None and interval[0] > ROUNDING


def _lies_below_zero(interval: Sequence[float] | None) -> bool:
    return interval is not None and interval[1] < 0


def _number(value: float | None, form: str = ".2f") -> str:
    return "undefined" if value is None else format(value, form)


def _ends(interval: Sequence[float] | None, form: str = ".2f") -> str:
    return "undefined" if interval is None else f"{interval[0]:{form}} to {interval[1]:{form}}"
