"""The leaderboard of one horizon: models by net Sharpe ratio, the baselines under them in the same columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ohlcv_factory.evaluation.baselines import CHANCE
from ohlcv_factory.evaluation.score_table import threshold_heading
from ohlcv_factory.evaluation.scorecard import THRESHOLDS, threshold_column
from ohlcv_factory.reports.charts import Span, interval_chart
from ohlcv_factory.reports.page import Markup, paragraph, table, text
from ohlcv_factory.reports.reported_run import ReportedRun
from ohlcv_factory.reports.words import DASH, Form, count, duration, interval, number, percent, plural, points, score
from ohlcv_factory.studies.comparison import compared
from ohlcv_factory.studies.finished_runs import FinishedRun
from ohlcv_factory.studies.leaderboard import SPREAD_NOTE, SPREAD_TITLE, comparison_rows, seed_spreads, spread_table

MONEY_COLUMNS = (
    "Name", "Sharpe, net", "Deflated", "Return / year", "Drawdown", "Before costs", "Costs", "Break-even", "Trades", "Won",
    "Turnover", "Exposure",
)  # fmt: skip
DECISION_COLUMNS = (
    "Name", "Macro-F1", "Balanced accuracy", "MCC", "Direction hits", "Independent", "Log-loss", "Brier", "ECE",
)  # fmt: skip
BASELINE_NAMES = {
    "class_prior": "class prior",
    "last_label": "last label",
    "buy_and_hold": "buy and hold",
    "always_flat": "always flat",
}
MONEY_CAPTION = "Money, best net Sharpe ratio first; returns, costs and drawdown in units of one trade's notional"
RANK_CAPTION = "Ranks by net Sharpe ratio, all runs resampled by the same blocks of sessions"
DECISION_CAPTION = "Decisions and probabilities, in the same order"
PASSED = {True: "yes", False: "no", None: DASH}

Block = Mapping[str, Any]
"""Scores of a model or a baseline: classification and trading."""


def leaderboard(group: Sequence[ReportedRun]) -> str:
    """The runs beside the baselines, their ranks with intervals, and how far scores move with the seed."""
    runs = [FinishedRun(run.path, run.manifest, run.evaluation) for run in group]
    return beside_baselines(group, _ranks(runs) + _over_seeds(runs))


def beside_baselines(group: Sequence[ReportedRun], more: str = "") -> str:
    """Amount of evidence, two pictures of intervals, and the scores: money first, then decisions and probabilities.

    `more` is markup that stands before the scores by symbol.
    """
    blocks = [(run.name, run.evaluation) for run in group]
    others = list(baseline_blocks(group))
    note = (
        "Below a Sharpe ratio or hit rate stands its 90 % interval; break-even is the cost per side, in basis points, at "
        "which nothing would have been earned. Deflated is the probability that the true Sharpe ratio lies above what the best "
        "of all trials on this data would show without skill. Baselines in italics, on the same rows. "
        "The last columns show the specification's thresholds."
    )
    return (
        paragraph(_evidence(group[0].evaluation))
        + _interval_pictures(blocks, others, [run.kind for run in group])
        + _score_table(_money_row, (*MONEY_COLUMNS, _heading("sharpe_ratio")), blocks, others, MONEY_CAPTION)
        + _score_table(_decision_row, (*DECISION_COLUMNS, _heading("macro_f1")), blocks, others, DECISION_CAPTION)
        + paragraph(note, "note")
        + more
        + _per_symbol(group)
    )


def baseline_blocks(group: Sequence[ReportedRun]) -> Iterator[tuple[str, Block]]:
    """Baselines by name for people; chance depends on a model's turnover, so each model has its own."""
    for name, block in group[0].evaluation["baselines"].items():
        if name != CHANCE:
            yield BASELINE_NAMES.get(name, name), block
    for run in group:
        if CHANCE in run.evaluation["baselines"]:
            yield f"random as {run.name}", run.evaluation["baselines"][CHANCE]


def _score_table(
    row: Callable[[str, Block], tuple[Any, ...]],
    columns: Sequence[str],
    models: Sequence[tuple[str, Block]],
    others: Sequence[tuple[str, Block]],
    caption: str,
) -> str:
    return table(columns, [row(*each) for each in models], [row(*each) for each in others], caption=caption)


def _money_row(name: str, block: Block) -> tuple[Any, ...]:
    trading = block["trading"]
    return (
        name,
        with_ends(trading["sharpe_ratio"], trading["sharpe_interval"], number),
        _deflated(block),
        percent(trading["annualized_return"]),
        percent(trading["max_drawdown"]),
        percent(trading["total_return"] + trading["total_cost"]),
        percent(trading["total_cost"]),
        _break_even(trading),
        count(trading["num_trades"]),
        percent(trading["win_rate"]),
        number(trading["turnover"], 1),
        percent(trading["exposure"]),
        _passed(block, "sharpe_ratio"),
    )


def _decision_row(name: str, block: Block) -> tuple[Any, ...]:
    classes = block["classification"]
    return (
        name,
        score(classes["macro_f1"]),
        score(classes["balanced_accuracy"]),
        score(classes["mcc"]),
        with_ends(classes["direction_hit_rate"], classes["direction_hit_rate_interval"], score),
        *(score(classes[number_name]) for number_name in ("independent_rate", "log_loss", "brier", "ece")),
        _passed(block, "macro_f1"),
    )


def _break_even(trading: Mapping[str, Any]) -> Markup | str:
    """Cost per side at which nothing would have been earned, the one paid below; runs of the first version have neither."""
    cost, paid = trading.get("break_even_cost_bps"), trading.get("cost_bps")
    return DASH if cost is None else Markup(f"{text(number(cost))} bp<small>paid {text(number(paid))} bp</small>")


def _deflated(block: Block) -> str:
    """The deflated Sharpe ratio; baselines and runs of the first version have none."""
    return percent(block.get("trials", {}).get("deflated_sharpe_ratio"))


def _passed(block: Block, name: str) -> str:
    return PASSED[threshold_column(block)[name]["passed"]]


def _heading(name: str) -> str:
    return threshold_heading(name, THRESHOLDS[name])


def with_ends(value: float | None, ends: Sequence[float] | None, form: Form) -> Markup | str:
    """A value with its interval below."""
    return Markup(f"{text(form(value))}<small>{text(interval(ends, form))}</small>") if ends else form(value)


def _evidence(evaluation: Block) -> str:
    rows, classes, trading = evaluation["rows"], evaluation["classification"], evaluation["trading"]
    return (
        f"Part {evaluation['part']}: {count(rows['scored'])} scored rows, of which as many as "
        f"{count(classes['direction_effective_rows'])} independent ones count for the direction, because labels overlap; "
        f"{plural(trading['sessions'], 'session')}, {count(trading['sessions_per_year'])} to a year.{_trials(evaluation)}"
    )


def _trials(evaluation: Block) -> str:
    """How much was tried on this data, and what the best of as many shows by chance; runs of the first version do not say."""
    trials = evaluation.get("trials")
    if trials is None:
        return ""
    words = f" Trials on this data: {count(trials['count'])}"
    expected = trials["expected_maximum_sharpe"]
    if trials["count"] == 1 or expected is None:
        return f"{words}."
    return f"{words}; the best of as many without skill would show a Sharpe ratio of {number(expected)}."


def _interval_pictures(
    models: Sequence[tuple[str, Block]], others: Sequence[tuple[str, Block]], kinds: Sequence[str]
) -> str:
    plain = ["plain"] * len(others)
    sharpe = [
        Span(name, block["trading"]["sharpe_ratio"], block["trading"]["sharpe_interval"], kind)
        for (name, block), kind in zip([*models, *others], [*kinds, *plain], strict=True)
    ]
    edge = [
        Span(name, block["classification"]["direction_edge"], block["classification"]["direction_edge_interval"], kind)
        for (name, block), kind in zip(models, kinds, strict=True)
    ]
    return (
        "<figure><figcaption>Net Sharpe ratio with its 90 % interval (of the random ones: the spread of 32 shifts)."
        f"</figcaption>{interval_chart(sharpe, 'net Sharpe ratios with intervals', _short)}</figure>\n"
        "<figure><figcaption>Direction hit rate above its independent rate, in percentage points, with its 90 % "
        f"interval.</figcaption>{interval_chart(edge, 'direction edges with intervals', points)}</figure>\n"
    )


def _short(value: float) -> str:
    return number(value, 0 if value == int(value) else 1)


def _ranks(runs: Sequence[FinishedRun]) -> str:
    """Which of several runs is best by net Sharpe ratio, by more than chance, and what choosing it proves."""
    if len(runs) < 2:
        return ""
    found = compared(runs[0].group, runs, "sharpe_ratio")
    rows = [
        (
            row["name"],
            count(row["rank"]),
            interval(row["rank_interval"], count),
            with_ends(row["difference"], row["difference_interval"], number),
            duration(row["training_time_seconds"]),
            count(row["peak_memory_mb"]),
        )
        for row in comparison_rows(found)
    ]
    columns = ("Name", "Rank", "Rank, 90 %", "Sharpe less the best's", "Fit", "Memory (MB)")
    return table(columns, rows, caption=RANK_CAPTION) + "".join(paragraph(words) for words in found.words)


def _over_seeds(runs: Sequence[FinishedRun]) -> str:
    """How far the scores of one model move with the seed, where a model was trained with several."""
    spreads = seed_spreads(runs)
    if not spreads:
        return ""
    columns, rows = spread_table(spreads)
    return table(columns, rows, caption=SPREAD_TITLE) + paragraph(SPREAD_NOTE, "note")


def _per_symbol(group: Sequence[ReportedRun]) -> str:
    """The same by symbol, where a run has several."""
    rows = [
        (
            f"{run.name}, {symbol}",
            with_ends(trading["sharpe_ratio"], trading["sharpe_interval"], number),
            percent(trading["annualized_return"]),
            count(trading["num_trades"]),
            score(classes["macro_f1"]),
            with_ends(classes["direction_hit_rate"], classes["direction_hit_rate_interval"], score),
            score(classes["independent_rate"]),
        )
        for run in group
        for symbol, trading in run.evaluation["trading"].get("per_symbol", {}).items()
        for classes in (run.evaluation["classification"]["per_symbol"][symbol],)
    ]
    columns = ("Name", "Sharpe, net", "Return / year", "Trades", "Macro-F1", "Direction hits", "Independent")
    return table(columns, rows, caption="By symbol") if rows else ""
