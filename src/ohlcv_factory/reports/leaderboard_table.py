"""The leaderboard of one horizon: models by net Sharpe ratio, the baselines under them in the same columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ohlcv_factory.evaluation.baselines import CHANCE
from ohlcv_factory.evaluation.scorecard import threshold_column
from ohlcv_factory.reports.charts import Span, interval_chart
from ohlcv_factory.reports.page import Markup, paragraph, table, text
from ohlcv_factory.reports.reported_run import ReportedRun
from ohlcv_factory.reports.words import Form, count, interval, number, percent, plural, points, score

COLUMNS = (
    "Name", "Sharpe, net", "Return / year", "Drawdown", "Trades", "Turnover", "Exposure", "Macro-F1", "Balanced acc.", "MCC",
    "Direction hits", "Independent", "Log-loss", "Brier", "ECE", "Specification",
)  # fmt: skip
BASELINE_NAMES = {
    "class_prior": "class prior",
    "last_label": "last label",
    "buy_and_hold": "buy and hold",
    "always_flat": "always flat",
}
THRESHOLD_NAMES = {"macro_f1": "F1", "sharpe_ratio": "Sharpe"}


def leaderboard(group: Sequence[ReportedRun]) -> str:
    """Amount of evidence, two pictures of intervals, the table."""
    models = [_score_row(run.name, run.evaluation) for run in group]
    others = [_score_row(name, block) for name, block in baseline_blocks(group)]
    words = "Below each Sharpe ratio and hit rate stands its 90 % interval. Baselines in italics, on the same rows."
    return (
        paragraph(_evidence(group[0].evaluation))
        + _interval_pictures(group)
        + table(COLUMNS, models, others, caption="Models by net Sharpe ratio; baselines below")
        + paragraph(words, "note")
        + _per_symbol(group)
    )


def baseline_blocks(group: Sequence[ReportedRun]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Baselines by name for people; chance depends on a model's turnover, so each model has its own."""
    for name, block in group[0].evaluation["baselines"].items():
        if name != CHANCE:
            yield BASELINE_NAMES.get(name, name), block
    for run in group:
        if CHANCE in run.evaluation["baselines"]:
            yield f"random, turnover of {run.name}", run.evaluation["baselines"][CHANCE]


def _score_row(name: str, block: Mapping[str, Any]) -> tuple[Any, ...]:
    """One line of the table; `block` has the keys classification and trading."""
    classes, trading = block["classification"], block["trading"]
    return (
        name,
        _with_ends(trading["sharpe_ratio"], trading["sharpe_interval"], number),
        percent(trading["annualized_return"]),
        percent(trading["max_drawdown"]),
        count(trading["num_trades"]),
        number(trading["turnover"], 1),
        percent(trading["exposure"]),
        score(classes["macro_f1"]),
        score(classes["balanced_accuracy"]),
        score(classes["mcc"]),
        _with_ends(classes["direction_hit_rate"], classes["direction_hit_rate_interval"], score),
        score(classes["independent_rate"]),
        *(score(classes[name]) for name in ("log_loss", "brier", "ece")),
        _thresholds(block),
    )


def _with_ends(value: float | None, ends: Sequence[float] | None, form: Form) -> Markup | str:
    """A value with its interval below."""
    return Markup(f"{text(form(value))}<small>{text(interval(ends, form))}</small>") if ends else form(value)


def _thresholds(block: Mapping[str, Any]) -> Markup:
    words = {True: "yes", False: "no", None: "undefined"}
    lines = (
        f"{THRESHOLD_NAMES[name]} > {facts['threshold']}: {words[facts['passed']]}"
        for name, facts in threshold_column(block).items()
    )
    return Markup("<br>".join(map(text, lines)))


def _evidence(evaluation: Mapping[str, Any]) -> str:
    rows, classes, trading = evaluation["rows"], evaluation["classification"], evaluation["trading"]
    return (
        f"Part {evaluation['part']}: {count(rows['scored'])} scored rows, of which as many as "
        f"{count(classes['direction_effective_rows'])} independent ones count for the direction, because labels overlap; "
        f"{plural(trading['sessions'], 'session')}, {count(trading['sessions_per_year'])} to a year."
    )


def _interval_pictures(group: Sequence[ReportedRun]) -> str:
    blocks: list[tuple[str, str, Mapping[str, Any]]] = [(run.name, run.kind, run.evaluation) for run in group]
    blocks += [(name, "plain", block) for name, block in baseline_blocks(group)]
    sharpe = [
        Span(name, block["trading"]["sharpe_ratio"], block["trading"]["sharpe_interval"], kind)
        for name, kind, block in blocks
    ]
    edge = [
        Span(run.name, classes["direction_edge"], classes["direction_edge_interval"], run.kind)
        for run in group
        for classes in (run.evaluation["classification"],)
    ]
    return (
        "<figure><figcaption>Net Sharpe ratio with its 90 % interval (of the random ones: the spread of 32 shifts)."
        f"</figcaption>{interval_chart(sharpe, 'net Sharpe ratios with intervals', _short)}</figure>\n"
        "<figure><figcaption>Direction hit rate above its independent rate, in percentage points, with its 90 % "
        f"interval.</figcaption>{interval_chart(edge, 'direction edges with intervals', points)}</figure>\n"
    )


def _short(value: float) -> str:
    return number(value, 0 if value == int(value) else 1)


def _per_symbol(group: Sequence[ReportedRun]) -> str:
    """The same by symbol, where a run has several."""
    rows = [
        (
            f"{run.name}, {symbol}",
            _with_ends(trading["sharpe_ratio"], trading["sharpe_interval"], number),
            percent(trading["annualized_return"]),
            count(trading["num_trades"]),
            score(classes["macro_f1"]),
            _with_ends(classes["direction_hit_rate"], classes["direction_hit_rate_interval"], score),
            score(classes["independent_rate"]),
        )
        for run in group
        for symbol, trading in run.evaluation["trading"].get("per_symbol", {}).items()
        for classes in (run.evaluation["classification"]["per_symbol"][symbol],)
    ]
    columns = ("Name", "Sharpe, net", "Return / year", "Trades", "Macro-F1", "Direction hits", "Independent")
    return table(columns, rows, caption="By symbol") if rows else ""
