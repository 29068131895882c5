"""The scores of each model again by year, by session and by volatility: where do they come from?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ohlcv_factory.reports.leaderboard_table import with_ends
from ohlcv_factory.reports.page import paragraph, table
from ohlcv_factory.reports.reported_run import ReportedRun
from ohlcv_factory.reports.words import count, number, percent, score

COLUMNS = (
    "Group", "Scored rows", "Macro-F1", "Direction hits", "Independent", "Log-loss", "ECE", "Net", "Sharpe, net", "Trades",
)  # fmt: skip
WORDS = (
    "A score that comes from one year, one session or one regime alone is a warning; and of many groups some are good by "
    "chance. Sessions are the stock markets' hours on weekdays, everything else is outside of them. Volatility is ATR(14) "
    "in per cent of the price, divided into thirds by the training rows. Profit belongs to the group of its bar, a trade to "
    "that in which it began."
)


def breakdown_tables(group: Sequence[ReportedRun]) -> str:
    """One table per model that has the numbers; runs of the first version have none."""
    told = [run for run in group if "breakdown" in run.evaluation]
    return "".join(_table(run) for run in told) + (paragraph(WORDS, "note") if told else "")


def _table(run: ReportedRun) -> str:
    groups = run.evaluation["breakdown"]
    bodies = [[_row(name, scores) for name, scores in named.items()] for named in groups.values()]
    return table(COLUMNS, *bodies, caption=f"{run.name} by year, session and volatility")


def _row(name: str, scores: Mapping[str, Any]) -> tuple[Any, ...]:
    return (
        name,
        count(scores["rows"]),
        score(scores["macro_f1"]),
        with_ends(scores["direction_hit_rate"], scores["direction_hit_rate_interval"], score),
        score(scores["independent_rate"]),
        score(scores["log_loss"]),
        score(scores["ece"]),
        percent(scores["total_return"]),
        number(scores["sharpe_ratio"]),
        count(scores["num_trades"]),
    )
