"""One page for finished runs: the verdict, what was asked, the data, the scores, the curves, and what it all means."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ohlcv_factory.dataset.store import read_manifest
from ohlcv_factory.errors import DataError, InputMissingError, UsageError
from ohlcv_factory.reports import data_tables, model_cards
from ohlcv_factory.reports.breakdown_table import breakdown_tables
from ohlcv_factory.reports.contributions import contribution_tables
from ohlcv_factory.reports.ensembles import ensemble_cards
from ohlcv_factory.reports.equity import equity_figures
from ohlcv_factory.reports.explanation import explanation, part_words
from ohlcv_factory.reports.inside import inside_models
from ohlcv_factory.reports.leaderboard_table import leaderboard
from ohlcv_factory.reports.page import Section, compose, facts, heading, paragraph, table
from ohlcv_factory.reports.reported_run import Groups, ReportedRun, read_groups
from ohlcv_factory.reports.verdicts import verdict_box
from ohlcv_factory.reports.words import bar_size, costs, listing, moment, plural
from ohlcv_factory.storage.atomic import write_text
from ohlcv_factory.studies.leaderboard import FinishedRun

WEIGHTING_WORDS = {
    "both": "label quality times uniqueness",
    "quality": "label quality",
    "uniqueness": "label uniqueness",
    "none": "all alike",
}
CALIBRATION_WORDS = {
    "auto": "by the kind with the smallest held-out log-loss",
    "temperature": "by temperature and bias",
    "sigmoid": "by a sigmoid per class",
    "isotonic": "by a rising curve per class",
    "none": "no",
}
REFIT_WORDS = {"none": "no", "all": "on all training rows, after stopping was settled"}


@dataclass(frozen=True)
class Question:
    """The runs of a page and, where it is at hand, their dataset."""

    groups: Groups
    dataset: Path | None
    manifest: dict[str, Any] | None
    missing: str
    """Why the dataset is not at hand; empty when it is."""

    @property
    def runs(self) -> tuple[ReportedRun, ...]:
        """All runs, by horizon and rank."""
        return tuple(run for group in self.groups.values() for run in group)

    def per_horizon(self, make: Callable[[tuple[ReportedRun, ...]], str]) -> str:
        """One piece of markup per horizon, under its heading where there are several."""
        several = len(self.groups) > 1
        pieces = ((horizon, make(group)) for horizon, group in self.groups.items())
        return "".join((heading(f"Horizon {horizon}") if several else "") + html for horizon, html in pieces if html)


def write_run_report(runs: Sequence[FinishedRun], out: Path, *, dataset: Path | None = None) -> Path:
    """Write one self-contained HTML page of runs to `out`; the same runs give the same bytes.

    The dataset is looked for where the runs found it, unless it is named. Raises UsageError (2) without a run,
    DataError (65) when runs were scored on different rows or `dataset` is not theirs, InputMissingError (66) when
    `dataset` is not there.
    """
    if not runs:
        raise UsageError("a report needs at least 1 run, got 0.", help="name a run folder, or a folder of runs")
    question = _question(read_groups(runs), dataset)
    sections = tuple(section for make in SECTIONS if (section := make(question)).html)
    colophon = f"{question.runs[0].manifest['created_by']}, runs up to {_newest(question.runs)} UTC"
    write_text(out, compose(_title(question), verdict_box(question.groups), sections, colophon))
    return out


def asked(question: Question) -> Section:
    """Models, horizons, data and settings."""
    runs, parts = question.runs, question.manifest and question.manifest["summary"]["parts"]
    instruments = runs[0].features["data"]["instruments"]
    pairs = [
        ("Models", listing(dict.fromkeys(run.name for run in runs))),
        ("Horizons", listing(question.groups) + " bars"),
        ("Symbols", listing(runs[0].manifest["symbols"])),
        ("Bars", f"{_bars(runs)}, times in UTC"),
        *((name.capitalize(), _span(parts[name])) for name in ("train", "val", "test") if parts),
        ("Costs per side", listing(f"{each['symbol']}: {costs(each)}" for each in instruments)),
        ("Seed", _by_model((run.name, run.config["random_seed"]) for run in runs)),
        ("Sample weights", _by_model((run.name, WEIGHTING_WORDS[run.config["weighting"]]) for run in runs)),
        ("Balanced classes", _by_model((run.name, _yes(run.config["balanced"])) for run in runs)),
        ("Calibrated", _by_model((run.name, _calibration(run)) for run in runs)),
        ("Acts on", _by_model((run.name, model_cards.decision_rule(run)["words"]) for run in runs)),
        ("Refitted", _by_model((run.name, REFIT_WORDS[run.config["refit"]]) for run in runs)),
        ("Feature set", _by_model((run.name, _feature_set(run)) for run in runs)),
    ]
    words = (
        "Each model saw the same rows, learned to tell short, neutral and long apart, and was scored on rows later in "
        "time, beside rules that need no model."
    )
    return Section("What was asked", "asked", paragraph(words) + facts(pairs))


def data_and_labels(question: Question) -> Section:
    """The dataset's parts and labels, or why they are not here."""
    title, name = "Data and labels", "data"
    if question.manifest is None:
        return Section(title, name, paragraph(question.missing, "warning"))
    manifest = question.manifest
    warnings = [*manifest["warnings"], *(words for each in manifest["sources"] for words in each["warnings"])]
    html = data_tables.symbol_table(manifest) + data_tables.part_table(manifest)
    html += data_tables.label_tables(manifest, tuple(question.groups))
    html += "".join(paragraph(words, "warning") for words in warnings)
    return Section(title, name, html)


def scores(question: Question) -> Section:
    """The leaderboard."""
    return Section("Leaderboard", "leaderboard", question.per_horizon(leaderboard))


def curves(question: Question) -> Section:
    """Equity and drawdown."""
    html = question.per_horizon(lambda group: equity_figures(group, question.dataset))
    return Section("Equity and drawdown", "curves", html)


def decisions(question: Question) -> Section:
    """Confusion matrices and F1 per class."""
    words = "Rows are the truth, columns the decision; below each count its share of the true class."
    html = question.per_horizon(model_cards.confusion_cards) + question.per_horizon(model_cards.coverage_table)
    return Section("Decisions", "decisions", paragraph(words) + html)


def reliability(question: Question) -> Section:
    """Reliability curves."""
    words = (
        "Across: the probability of the decided class, in per cent; up: the share that came true. On the dashed line "
        "probabilities mean what they say. The larger a dot, the more rows; "
        f"bins under {model_cards.FEWEST_ROWS} rows are left out."
    )
    return Section("Reliability", "reliability", paragraph(words) + question.per_horizon(model_cards.reliability_cards))


def ensembles(question: Question) -> Section:
    """Ensembles beside their members; left out where there is none."""
    words = (
        "An ensemble is recommended only where it beats the plain average of its members and the best of them on rows that "
        "nothing was fitted on: the whole 90 % interval of the paired difference of log-losses lies below 0."
    )
    html = question.per_horizon(ensemble_cards)
    return Section("Ensembles", "ensembles", paragraph(words) + html if html else "")


def breakdown(question: Question) -> Section:
    """Scores by year, session and volatility."""
    return Section("Where the scores come from", "breakdown", question.per_horizon(breakdown_tables))


def importance(question: Question) -> Section:
    """Importance by category and feature."""
    words = (
        "What the models used, as shares of each model's own measure; measures differ between families, so compare "
        "within a card only. Use is not proof of value: a model without an edge has importances too."
    )
    return Section("Importance", "importance", paragraph(words) + question.per_horizon(model_cards.importance_cards))


def contributions(question: Question) -> Section:
    """SHAP values of tree models; left out where there is none."""
    html = question.per_horizon(contribution_tables)
    return Section("What moved the scores of trees", "contributions", html)


def inside(question: Question) -> Section:
    """What networks say about their own answers; left out where none does."""
    words = (
        "What the networks say about at most 512 validation rows, evenly spaced. Weights and attention are shares that "
        "sum to 100 %: they show where a network looked, not why the market moved, nor that looking there helped."
    )
    html = question.per_horizon(inside_models)
    return Section("Inside the networks", "inside", paragraph(words) + html if html else "")


def training(question: Question) -> Section:
    """How each model was fitted."""
    words = (
        "Training rows are divided in time: fit to learn from, stop to choose the number of rounds, calibrate to make "
        "probabilities mean what they say. Rows between them are dropped where labels would reach across."
    )
    return Section("Training", "training", paragraph(words) + question.per_horizon(model_cards.training_cards))


def meaning(question: Question) -> Section:
    """The one-page explanation."""
    which_rows = part_words(question.runs[0].evaluation["part"])
    html = explanation(question.manifest, tuple(question.groups), which_rows)
    return Section("What the numbers mean", "meaning", html)


def provenance(question: Question) -> Section:
    """What it takes to repeat each run."""
    rows = [
        (run.path.name, run.manifest["seed"], run.manifest["threads"], run.manifest["device"], moment(_time(run)))
        for run in question.runs
    ]
    first = question.runs[0].manifest
    packages = _by_model((run.name, _packages(run)) for run in question.runs)
    pairs = [
        ("Dataset", first["data_fingerprint"]),
        ("Rows", first["row_digest"]),
        ("Written by", _by_model((run.name, run.manifest["created_by"]) for run in question.runs)),
        ("Machine", _by_model((run.name, " ".join(run.manifest["machine"].values())) for run in question.runs)),
        ("Packages", packages),
    ]
    html = table(("Run", "Seed", "Threads", "Device", "Finished (UTC)"), rows) + facts(pairs)
    words = "Each run folder holds config/training_config.yaml, which repeats the run, and a digest of every file."
    return Section("Provenance", "provenance", html + paragraph(words, "note"))


SECTIONS = (
    asked, data_and_labels, scores, ensembles, curves, decisions, reliability, breakdown, importance, contributions, inside,
    training, meaning, provenance,
)  # fmt: skip
"""In the order of the page; a section without content is left out."""


def _question(groups: Groups, dataset: Path | None) -> Question:
    """The dataset as named, or where the first run found it."""
    run = next(iter(groups.values()))[0]
    if dataset is not None:
        manifest = read_manifest(dataset)
        if manifest["fingerprint"] != run.manifest["data_fingerprint"]:
            raise DataError(f"{dataset} is not the dataset of these runs.", where=str(dataset), help="name theirs")
        return Question(groups, dataset, manifest, "")
    origin = run.config.get("dataset")
    if origin is None:
        return Question(
            groups, None, None, "These runs were trained on data in memory; there is no dataset to describe."
        )
    try:
        manifest = read_manifest(Path(origin))
    except (InputMissingError, DataError) as error:
        return Question(groups, None, None, f"The dataset cannot be described, because it is gone: {error.what}")
    if manifest["fingerprint"] != run.manifest["data_fingerprint"]:
        return Question(groups, None, None, f"{origin} now holds another dataset than the one of these runs.")
    return Question(groups, Path(origin), manifest, "")


def _title(question: Question) -> str:
    runs = question.runs
    horizons = f"horizon{'s' if len(question.groups) > 1 else ''} {listing(question.groups)}"
    return f"{listing(runs[0].manifest['symbols'])}, {_bars(runs)}, {horizons}: {plural(len(runs), 'run')}"


def _bars(runs: Sequence[ReportedRun]) -> str:
    return f"{bar_size(runs[0].features['data']['bar_seconds'])} bars"


def _span(part: dict[str, Any]) -> str:
    return f"{moment(part['first'])} to {moment(part['last'])}" if part["rows"] else "no rows"


def _feature_set(run: ReportedRun) -> str:
    return f"{run.features['feature_set']} ({len(run.features['columns'])} columns, scaling {run.features['scaling']})"


def _packages(run: ReportedRun) -> str:
    return ", ".join(f"{name} {version}" for name, version in run.manifest["packages"].items())


def _calibration(run: ReportedRun) -> str:
    """How it was calibrated; runs of the first version say only whether."""
    asked = run.config.get("calibration") or ("temperature" if run.config["calibrate"] else "none")
    return CALIBRATION_WORDS[asked]


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _time(run: ReportedRun) -> str:
    return str(run.evaluation["timestamp"])


def _newest(runs: Sequence[ReportedRun]) -> str:
    return moment(max(map(_time, runs)))


def _by_model(values: Iterable[tuple[str, Any]]) -> str:
    """One value where all models share it, else each value with its models."""
    found: dict[str, dict[str, None]] = {}
    for name, value in values:
        found.setdefault(str(value), {})[name] = None
    if len(found) == 1:
        return next(iter(found))
    return "; ".join(f"{value}: {listing(names)}" for value, names in found.items())
