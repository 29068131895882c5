"""The scores of a model or a baseline as one row of a table, the same for the command line and for notebooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SCORE_HEADER = (
    "name",
    "macro F1",
    "hit rate",
    "independent",
    "log-loss",
    "Sharpe",
    "Sharpe 90 %",
    "return/year",
    "drawdown",
    "trades",
)
SCORE_LEGEND = (
    "hit rate: decided directions that came true; independent: what the same decisions would hit by chance.\n"
    "Sharpe, return/year and drawdown: after costs, one unit of notional per trade, nothing compounded."
)
"""What the columns mean, for the line below a table."""


def score_row(name: str, block: Mapping[str, Any]) -> list[Any]:
    """One line of the table; `block` has the keys classification and trading."""
    classes, trading = block["classification"], block["trading"]
    interval = trading["sharpe_interval"]
    return [
        name,
        classes["macro_f1"],
        classes["direction_hit_rate"],
        classes["independent_rate"],
        classes["log_loss"],
        trading["sharpe_ratio"],
        f"[{interval[0]:.2f}, {interval[1]:.2f}]" if interval else "-",
        trading["annualized_return"],
        trading["max_drawdown"],
        trading["num_trades"],
    ]


def baseline_rows(evaluation: Mapping[str, Any]) -> list[list[Any]]:
    """One line for each baseline on the rows of an evaluation, its name in brackets."""
    return [score_row(f"({name})", block) for name, block in evaluation["baselines"].items()]


def threshold_heading(name: str, limit: float) -> str:
    """Heading of the column that says whether a run passed one of the specification's thresholds: `F1 > 0.35`."""
    return f"{'F1' if name == 'macro_f1' else 'Sharpe'} > {limit}"
