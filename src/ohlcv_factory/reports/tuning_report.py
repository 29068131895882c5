"""One page for a search over the settings of a model: the best, how the search went, what mattered, every trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ohlcv_factory import __version__
from ohlcv_factory.reports.charts import Line, bar, legend, line_chart
from ohlcv_factory.reports.page import Markup, Section, bullets, compose, facts, paragraph, table
from ohlcv_factory.reports.words import DASH, MINUS, count, percent, plural, score
from ohlcv_factory.storage.atomic import write_text
from ohlcv_factory.storage.experiments import TUNING_RECIPE
from ohlcv_factory.storage.formats import read_json, read_settings
from ohlcv_factory.studies.search_study import TRIALS_TABLE
from ohlcv_factory.studies.tuning import METRICS

PAGE = "report.html"
ROWS_WORDS = (
    "Every trial fits all anew in every fold, on that fold's own training rows. Training rows whose labels could reach a "
    "tested block are dropped on both sides, and after it an embargo is kept. Rows of val and test are in no fold."
)
MEANING = (
    "The settings were chosen because they scored best here, so they look better here than they are, the more so the more "
    "trials there were. Train the recipe and read the scores of the val part; every trial stands in the ledger."
)
NUMBERS = (
    ("Value", "What is looked for: the mean of a score over the folds, made worse by its spread over them."),
    (
        "Skill",
        "Log-loss of the training rows' class shares less that of the model. Above 0 the model knows more than how common "
        "each class is.",
    ),
    ("Macro-F1, Sharpe, return", "Means over the folds, on rows that the fold's model never saw; money after costs."),
    (
        "fold 1, 2, …",
        "The score of each fold. A pruned trial was ended where its folds so far fell behind the median's.",
    ),
)
NOTED = {"log_loss_skill": "Skill (nats)", "macro_f1": "Macro-F1", "sharpe_ratio": "Sharpe", "total_return": "Return"}
"""Means over the folds that stand beside the value."""


@dataclass(frozen=True)
class SearchOnPage:
    """One search: its facts, and the rows of its trials."""

    facts: Mapping[str, Any]
    trials: Sequence[Mapping[str, Any]]

    @property
    def names(self) -> list[str]:
        """The fields that were drawn."""
        return [each["name"] for each in self.facts["space"]]


def write_tuning_page(folder: Path) -> Path:
    """Write `report.html` of a search into its folder; the same study gives the same bytes."""
    metrics, recipe = read_json(folder / METRICS), read_settings(folder / TUNING_RECIPE)
    search = SearchOnPage(metrics, read_trials(folder))
    made = (_asked(search, recipe), *(make(search) for make in SECTIONS), _meaning())
    title = f"{metrics['model_name']}, horizon {metrics['horizon']}: search of {plural(len(search.trials), 'trial')}"
    lead = f'<div class="verdict">{paragraph(metrics["words"])}{paragraph(MEANING)}</div>\n'
    write_text(folder / PAGE, compose(title, lead, made, f"ohlcv-model-factory {__version__}, study {folder.name}"))
    return folder / PAGE


def read_trials(folder: Path) -> list[dict[str, Any]]:
    """The rows of a study's `trials.csv`."""
    return pl.read_csv(folder / TRIALS_TABLE, infer_schema_length=None).to_dicts()


def best(search: SearchOnPage) -> Section:
    """The leading trials beside the settings without a search."""
    header = ("Rank", "Trial", "Value", *NOTED.values(), *search.names)
    rows = [_leader(str(row["rank"]), row, search.names) for row in search.facts["leaders"]]
    before = search.facts["defaults"]
    last = [_leader("without a search", before, search.names)] if before else []
    words = f"Value: {search.facts['goal']}."
    return Section("The best", "best", table(header, rows, last) + paragraph(words, "note"))


def history(search: SearchOnPage) -> Section:
    """Values of the trials, and the best so far."""
    finished = [row for row in search.trials if row["value"] is not None]
    x = np.array([row["trial"] for row in finished], dtype=np.float64)
    y = np.array([row["value"] for row in finished], dtype=np.float64)
    pick = np.minimum if search.facts["direction"] == "minimize" else np.maximum
    lines = [Line("trial", x, y, "s1"), Line("best so far", x, pick.accumulate(y), "s0")]
    chart = line_chart(lines, "Value of each finished trial", score, (f"trial {x[0]:.0f}", f"trial {x[-1]:.0f}"))
    return Section("How the search went", "history", legend([(line.name, line.kind) for line in lines]) + chart)


def importance(search: SearchOnPage) -> Section:
    """What told good trials from the others."""
    shares = search.facts["importance"]
    if not shares:
        return Section("What mattered", "importance", paragraph("Too few finished trials that differ to say it."))
    rows = [(name, percent(share), Markup(bar(share))) for name, share in shares.items()]
    words = "Shares by PED-ANOVA: how much a field alone tells the best tenth of the finished trials from all of them."
    return Section("What mattered", "importance", table(("Field", "Share", ""), rows) + paragraph(words, "note"))


def trials(search: SearchOnPage) -> Section:
    """Every trial."""
    folds = [name for name in search.trials[0] if name.startswith(("fold_", "penalty_"))]
    header = ("Trial", "State", "Value", *(name.replace("_", " ") for name in folds), *search.names, "Reason")
    rows = [
        (
            row["trial"],
            row["state"],
            *(value_words(row[name]) for name in ("value", *folds)),
            *(value_words(row[name]) for name in search.names),
            row["reason"] or "",
        )
        for row in search.trials
    ]
    return Section("Every trial", "trials", table(header, rows) + _notes(search))


SECTIONS: tuple[Callable[[SearchOnPage], Section], ...] = (best, history, importance, trials)
"""In the order of the page."""


def value_words(value: Any) -> str:
    """A drawn value."""
    if value is None:
        return DASH
    return f"{value:.4g}".replace("-", MINUS) if isinstance(value, float) else str(value)


def range_words(dimension: Mapping[str, Any]) -> str:
    """A range in words."""
    if dimension["choices"] is not None:
        return ", ".join(map(str, dimension["choices"]))
    return f"{dimension['low']:g} to {dimension['high']:g}{', evenly in the logarithm' if dimension['log'] else ''}"


def _leader(rank: str, row: Mapping[str, Any], names: Sequence[str]) -> tuple[Any, ...]:
    noted = (score(row["scores"].get(name)) for name in NOTED)
    return (
        rank,
        row["trial"],
        value_words(row["value"]),
        *noted,
        *(value_words(row["values"].get(name)) for name in names),
    )


def _asked(search: SearchOnPage, recipe: Mapping[str, Any]) -> Section:
    found = search.facts
    pairs = [
        ("Model", found["model_name"]),
        ("Horizon", f"{found['horizon']} bars"),
        ("Looked for", found["goal"]),
        ("Folds", f"{found['scheme']}, {count(found['folds'])}"),
        ("Pruner", recipe["tune"]["pruner"]),
        ("Seed", recipe["random_seed"]),
        ("Dataset", recipe["dataset"] or "in memory"),
        ("Trials kept in", recipe["tune"]["storage"] or "the study folder"),
        ("Optuna", found["optuna"]),
    ]
    rows = [(each["name"], range_words(each), f"begins at {value_words(each['default'])}") for each in found["space"]]
    html = facts(pairs) + table(("Field", "Range", "Without a search"), rows, kind="words")
    return Section("What was asked", "asked", html + paragraph(ROWS_WORDS, "note"))


def _notes(search: SearchOnPage) -> str:
    found = search.facts
    lines = [f"trial {number} repeats trial {earlier}" for number, earlier in found["repeats"].items()]
    lines += [f"cut off and done again: {found['cut_off']}"] if found["cut_off"] else []
    return bullets(lines) if lines else ""


def _meaning() -> Section:
    return Section("What the numbers mean", "meaning", table(("Number", "What it is"), NUMBERS, kind="words"))
