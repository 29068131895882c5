"""One page for a cross-validation: the verdict out of fold, every fold, how steady the scores are, the path as a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ohlcv_factory import __version__
from ohlcv_factory.reports import model_cards
from ohlcv_factory.reports.breakdown_table import breakdown_tables
from ohlcv_factory.reports.charts import Span, interval_chart, series_kind
from ohlcv_factory.reports.equity import equity_figures
from ohlcv_factory.reports.explanation import explanation
from ohlcv_factory.reports.importance import importance_figures
from ohlcv_factory.reports.leaderboard_table import beside_baselines, with_ends
from ohlcv_factory.reports.page import Markup, Section, bullets, compose, facts, paragraph, table, text
from ohlcv_factory.reports.reported_run import ReportedRun
from ohlcv_factory.reports.verdicts import EDGE, KINDS, TITLES
from ohlcv_factory.reports.words import (
    DASH,
    Form,
    count,
    listing,
    moment,
    number,
    percent,
    plural,
    points,
    score,
)
from ohlcv_factory.storage.atomic import write_text
from ohlcv_factory.storage.formats import read_json, read_settings
from ohlcv_factory.studies.cross_validation import FOLDS, IMPORTANCE_METRICS, METRICS, stability_words
from ohlcv_factory.studies.fold_scores import JUDGED, SKILL, score_of
from ohlcv_factory.studies.out_of_fold import part_name
from ohlcv_factory.studies.study_folder import RECIPE

PAGE = "report.html"
SCHEMES = {
    "kfold": "purged k-fold: every row is predicted once, by a model of all other times",
    "walk_forward": "walk-forward: every covered row is predicted once, by a model of earlier times",
    "combinatorial": "combinatorial: every choice of blocks is predicted once, which makes several whole paths",
}
NAMES: dict[str, tuple[str, Form]] = {
    SKILL: ("Log-loss skill (nats)", score),
    "log_loss": ("Log-loss (nats)", score),
    "macro_f1": ("Macro-F1", score),
    "direction_edge": ("Direction hits above chance", points),
    "sharpe_ratio": ("Sharpe ratio, net", number),
    "annualized_return": ("Return per year", percent),
    "max_drawdown": ("Drawdown", percent),
    "num_trades": ("Trades", count),
}
"""Scores that are summed up, with their name and form."""
MEANING = {
    EDGE: "These rows chose nothing yet: if this model is the best of several that were tried, it looks better here than it "
    "is. The val part is there to choose, the test part for one last look.",
    "no edge found": "After costs, the out-of-fold scores cannot be told from chance. That is no proof that there is "
    "nothing to find.",
    "too little data": "The numbers below are exact for these rows, but nothing follows from them.",
}
ROWS_WORDS = (
    "Every fold fits all anew on its own training rows: columns, scaler, model, best round, calibrator. Training rows whose "
    "labels could reach a tested block are dropped on both sides, and after it an embargo is kept. The scores are on rows of "
    "the train part only; val and test are in no fold."
)


@dataclass(frozen=True)
class StudyOnPage:
    """The files of a cross-validation that the page reads."""

    folder: Path
    metrics: dict[str, Any]
    folds: dict[str, Any]
    recipe: dict[str, Any]
    importance: list[dict[str, Any]]
    """Permutation importance; empty where it was not asked for."""

    @classmethod
    def read(cls, folder: Path) -> StudyOnPage:
        """Read a study folder, its manifest or not: the page is written before it."""
        recipe = read_settings(folder / RECIPE)
        importance = read_json(folder / IMPORTANCE_METRICS) if (folder / IMPORTANCE_METRICS).is_file() else []
        return cls(folder, read_json(folder / METRICS), read_json(folder / FOLDS), recipe, importance)

    @property
    def paths(self) -> tuple[ReportedRun, ...]:
        """Every path as a run on a page."""
        blocks = self.metrics["out_of_fold"]
        several = len(blocks) > 1
        return tuple(
            ReportedRun(
                name=f"path {block['path']}" if several else self.metrics["model_name"],
                kind=series_kind(position),
                path=self.folder,
                manifest={},
                evaluation={**block, "part": part_name(block["path"] if several else None)},
                config=self.recipe,
                features={},
                training={},
                importance=[],
            )
            for position, block in enumerate(blocks)
        )


def write_study_page(folder: Path) -> Path:
    """Write `report.html` of a cross-validation into its folder; the same study gives the same bytes."""
    study = StudyOnPage.read(folder)
    made = tuple(section for make in SECTIONS if (section := make(study)).html)
    name, horizon = study.metrics["model_name"], study.metrics["horizon"]
    title = f"{name}, horizon {horizon}: cross-validation of {plural(len(study.folds['folds']), 'fold')}"
    page = compose(title, verdict_box(study), made, f"ohlcv-model-factory {__version__}, study {folder.name}")
    write_text(folder / PAGE, page)
    return folder / PAGE


def verdict_box(study: StudyOnPage) -> str:
    """The verdict of each path as markup."""
    verdicts = [run.verdict for run in study.paths]
    codes = {verdict["code"] for verdict in verdicts}
    code = (
        EDGE if codes == {EDGE} else next(each for each in ("too little data", "no edge found", EDGE) if each in codes)
    )
    title = "An edge out of fold" if code == EDGE else TITLES[code]
    lines = [f"{run.name}: {run.verdict['words']}" for run in study.paths]
    words = bullets(lines) if len(lines) > 1 else paragraph(lines[0])
    steady = paragraph(stability_words(study.metrics))
    return f'<div class="verdict {KINDS[code]}"><strong>{text(title)}</strong>{words}{steady}{paragraph(MEANING[code])}</div>\n'


def asked(study: StudyOnPage) -> Section:
    """Model, scheme, data and settings."""
    recipe, metrics = study.recipe, study.metrics
    embargo = sorted({round(days, 2) for fold in study.folds["folds"] for days in fold["embargo_days"]})
    rows = metrics["rows"]
    pairs = [
        ("Model", metrics["model_name"]),
        ("Horizon", f"{metrics['horizon']} bars"),
        ("Scheme", SCHEMES[metrics["scheme"]]),
        ("Rows", f"{count(rows['covered'])} of {count(rows['train'])} eligible train rows predicted out of fold"),
        ("Embargo", f"{listing(number(days) for days in embargo)} days"),
        ("Windows purged", "yes" if recipe["cv"]["purge_windows"] else "no"),
        ("Models kept", "yes" if recipe["cv"]["keep_models"] else "no"),
        ("Seed", recipe["random_seed"]),
        ("Feature set", recipe["feature_set"] or "the model's own"),
        ("Dataset", recipe["dataset"] or "in memory"),
    ]
    notes = "".join(paragraph(note, "note") for note in metrics["notes"])
    return Section("What was asked", "asked", facts(pairs) + notes)


def folds(study: StudyOnPage) -> Section:
    """One row per fold: when, how many rows, how it was fitted."""
    rows = [
        (
            record["fold"],
            Markup("<br>".join(text(f"{moment(first)} to {moment(last)}") for first, last in record["tested"])),
            count(record["rows"]["test"]),
            count(record["rows"]["train"]),
            count(fitted["rows"]["fit"]),
            count(fitted["rows"]["stop"]),
            count(fitted["rows"]["calibrate"]),
            count(fitted["columns"]),
            count(fitted["best_epoch"]),
        )
        for record, fitted in zip(study.folds["folds"], study.metrics["folds"], strict=True)
    ]
    header = (
        "Fold",
        "Tested (UTC)",
        "Rows tested",
        "Rows to learn from",
        "Fit",
        "Stop",
        "Calibrate",
        "Columns",
        "Best round",
    )
    return Section("Folds", "folds", table(header, rows))


def drift(study: StudyOnPage) -> Section:
    """The judged scores of each tested block with their intervals, in time order."""
    words = "From block to block in time. Where intervals of neighbours lie apart, the market or the model has changed."
    blocks = sorted(study.metrics["blocks"], key=lambda entry: (entry["first"], entry["fold"]))
    html = "".join(_block_chart(blocks, name) for name in JUDGED)
    return Section("Drift over time", "drift", paragraph(words) + html)


def spread(study: StudyOnPage) -> Section:
    """Mean and spread of the scores, and how much of it is drift."""
    rows = [_summary_row(name, study.metrics["summary"][name]) for name in NAMES if name in study.metrics["summary"]]
    html = table(("Score", "Mean", "Spread", "Lowest", "Highest", "Blocks"), rows, caption="Over the tested blocks")
    judged = [_stability_row(name, study.metrics["stability"][name]) for name in JUDGED]
    header = ("Score", "Grade", "Spread", "By chance alone", "Drift", "p-value")
    html += table(header, judged, caption="How much of the spread chance explains")
    words = (
        "The grade is by the share of the spread that chance does not explain (I²): A under 25 %, B under 50 %, C under 75 %, "
        "D from there on. It says whether a score is steady, not whether it is good; of few blocks it is uncertain itself."
    )
    return Section("Mean, spread, stability", "stability", html + paragraph(words, "note"))


def scores(study: StudyOnPage) -> Section:
    """The paths beside the baselines."""
    return Section("Out of fold", "scores", beside_baselines(study.paths))


def curves(study: StudyOnPage) -> Section:
    """Equity and drawdown of the paths."""
    return Section("Equity and drawdown", "curves", equity_figures(study.paths, None))


def decisions(study: StudyOnPage) -> Section:
    """Confusion matrix and reliability curve of each path."""
    html = model_cards.confusion_cards(study.paths) + model_cards.reliability_cards(study.paths)
    return Section("Decisions and reliability", "decisions", html)


def breakdown(study: StudyOnPage) -> Section:
    """The scores of the paths by year, session and volatility."""
    return Section("Where the scores come from", "breakdown", breakdown_tables(study.paths))


def importance(study: StudyOnPage) -> Section:
    """Permutation importance; left out where it was not asked for."""
    return Section("Importance out of fold", "importance", importance_figures(study.importance))


def final_model(study: StudyOnPage) -> Section:
    """The model of all train rows on val; left out where it was not asked for."""
    final = study.metrics.get("final_model")
    if final is None:
        return Section("The final model", "final", "")
    calibration, classes, trading = final["calibration"], final["classification"], final["trading"]
    pairs = [
        ("Bundle", f"{study.folder.name}/{final['folder']}"),
        ("Calibrator", f"{calibration['method']}, on {count(calibration['rows'])} out-of-fold rows"),
        ("Scored on", f"{count(final['rows']['scored'])} rows of val, which no fold and no calibrator knew"),
        ("Log-loss", score(classes["log_loss"])),
        ("Calibration error", score(classes["ece"])),
        ("Sharpe, net", with_ends(trading["sharpe_ratio"], trading["sharpe_interval"], number)),
    ]
    return Section("The final model", "final", facts(pairs) + paragraph(final["verdict"]["words"]))


def meaning(study: StudyOnPage) -> Section:
    """The one-page explanation."""
    return Section("What the numbers mean", "meaning", explanation((None,), (study.metrics["horizon"],), ROWS_WORDS))


SECTIONS: tuple[Callable[[StudyOnPage], Section], ...] = (
    asked, folds, drift, spread, scores, curves, decisions, breakdown, importance, final_model, meaning,
)  # fmt: skip
"""In the order of the page."""


def _block_chart(blocks: Sequence[dict[str, Any]], name: str) -> str:
    title, form = NAMES[name]
    spans = [Span(_block_name(entry), *score_of(entry, name), "s0") for entry in blocks]
    chart = interval_chart(spans, f"{title} of each block", form)
    return f"<figure><figcaption>{text(title)}, with its 90 % interval.</figcaption>{chart}</figure>\n"


def _block_name(entry: dict[str, Any]) -> str:
    return f"fold {entry['fold']}, {entry['first'][:10]} to {entry['last'][:10]}"


def _summary_row(name: str, found: dict[str, Any]) -> tuple[Any, ...]:
    title, form = NAMES[name]
    return (title, *(form(found[each]) for each in ("mean", "spread", "low", "high")), found["blocks"])


def _stability_row(name: str, found: dict[str, Any]) -> tuple[Any, ...]:
    title, form = NAMES[name]
    grade = found["grade"] or DASH
    return (
        title,
        grade,
        form(found["spread"]),
        form(found["chance"]),
        percent(found["beyond_chance"], 0),
        score(found["p_value"]),
    )
