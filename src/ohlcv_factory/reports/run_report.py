"""One page for finished runs: the verdict, what was asked, the data, the scores, the curves, and what it all means."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ohlcv_factory.dataset.build import symbol_fingerprint
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
from ohlcv_factory.reports.reported_run import Groups, ReportedRun, group_words, read_groups
from ohlcv_factory.reports.verdicts import verdict_box
from ohlcv_factory.reports.words import bar_size, costs, listing, moment, plural
from ohlcv_factory.storage.atomic import write_text
from ohlcv_factory.studies.finished_runs import FinishedRun

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
class Described:
    """The dataset of some runs, where it is at hand."""

    folder: Path | None
    manifest: dict[str, Any] | None
    missing: str = ""
    """Why the dataset is not at hand; empty when it is."""


@dataclass(frozen=True)
class Question:
    """The runs of a page and their datasets, by the fingerprint that the runs know them by."""

    groups: Groups
    datasets: dict[str, Described]

    @property
    def runs(self) -> tuple[ReportedRun, ...]:
        """All runs, by symbols, horizon and rank."""
        return tuple(run for group in self.groups.values() for run in group)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Of all runs, each once."""
        return tuple(dict.fromkeys(symbol for group in self.groups for symbol in group.symbols))

    @property
    def horizons(self) -> tuple[int, ...]:
        """Of all runs, each once, ascending."""
        return tuple(sorted({group.horizon for group in self.groups}))

    def dataset_of(self, group: Sequence[ReportedRun]) -> Described:
        """The dataset of a group's best run."""
        return self.datasets[group[0].manifest["data_fingerprint"]]

    @property
    def distinct_datasets(self) -> list[Described]:
        """Each dataset once: runs on single symbols of it have fingerprints of their own."""
        found: list[Described] = []
        for each in self.datasets.values():
            if each not in found:
                found.append(each)
        return found

    def per_group(self, make: Callable[[tuple[ReportedRun, ...]], str]) -> str:
        """One piece of markup per group of runs, under its heading where there are several."""
        words = group_words(self.groups)
        pieces = [(words[group], make(members)) for group, members in self.groups.items()]
        several = len(pieces) > 1
        return "".join(
            (heading(f"{name[0].upper()}{name[1:]}") if several else "") + html for name, html in pieces if html
        )


def write_run_report(runs: Sequence[FinishedRun], out: Path, *, dataset: Path | None = None) -> Path:
    """Write one self-contained HTML page of runs to `out`; the same runs give the same bytes.

    Runs of other symbols and horizons stand in groups of their own. Datasets are looked for where the runs found them, unless
    one is named. Raises UsageError (2) without a run, DataError (65) when runs of one group were scored on different rows
    or `dataset` is that of none, InputMissingError (66) when `dataset` is not there.
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
    runs, instruments = question.runs, _instruments(question)
    pairs = [
        ("Models", listing(dict.fromkeys(run.name for run in runs))),
        ("Horizons", listing(question.horizons) + " bars"),
        ("Symbols", listing(question.symbols)),
        ("Bars", f"{_bars(runs)}, times in UTC"),
        *_part_spans(question),
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
    html = "".join(_dataset_html(question, found) for found in question.distinct_datasets)
    return Section(title, name, html)


def scores(question: Question) -> Section:
    """The leaderboard."""
    return Section("Leaderboard", "leaderboard", question.per_group(leaderboard))


def curves(question: Question) -> Section:
    """Equity and drawdown."""
    html = question.per_group(lambda group: equity_figures(group, question.dataset_of(group).folder))
    return Section("Equity and drawdown", "curves", html)


def decisions(question: Question) -> Section:
    """Confusion matrices and F1 per class."""
    words = "Rows are the truth, columns the decision; below each count its share of the true class."
    html = question.per_group(model_cards.confusion_cards) + question.per_group(model_cards.coverage_table)
    return Section("Decisions", "decisions", paragraph(words) + html)


def reliability(question: Question) -> Section:
    """Reliability curves."""
    words = (
        "Across: the probability of the decided class, in per cent; up: the share that came true. On the dashed line "
        "probabilities mean what they say. The larger a dot, the more rows; "
        f"bins under {model_cards.FEWEST_ROWS} rows are left out."
    )
    return Section("Reliability", "reliability", paragraph(words) + question.per_group(model_cards.reliability_cards))


def ensembles(question: Question) -> Section:
    """Ensembles beside their members; left out where there is none."""
    words = (
        "An ensemble is recommended only where it beats the plain average of its members and the best of them on rows that "
        "nothing was fitted on: the whole 90 % interval of the paired difference of log-losses lies below 0."
    )
    html = question.per_group(ensemble_cards)
    return Section("Ensembles", "ensembles", paragraph(words) + html if html else "")


def breakdown(question: Question) -> Section:
    """Scores by year, session and volatility."""
    return Section("Where the scores come from", "breakdown", question.per_group(breakdown_tables))


def importance(question: Question) -> Section:
    """Importance by category and feature."""
    words = (
        "What the models used, as shares of each model's own measure; measures differ between families, so compare "
        "within a card only. Use is not proof of value: a model without an edge has importances too."
    )
    return Section("Importance", "importance", paragraph(words) + question.per_group(model_cards.importance_cards))


def contributions(question: Question) -> Section:
    """SHAP values of tree models; left out where there is none."""
    html = question.per_group(contribution_tables)
    return Section("What moved the scores of trees", "contributions", html)


def inside(question: Question) -> Section:
    """What networks say about their own answers; left out where none does."""
    words = (
        "What the networks say about at most 512 validation rows, evenly spaced. Weights and attention are shares that "
        "sum to 100 %: they show where a network looked, not why the market moved, nor that looking there helped."
    )
    html = question.per_group(inside_models)
    return Section("Inside the networks", "inside", paragraph(words) + html if html else "")


def training(question: Question) -> Section:
    """How each model was fitted."""
    words = (
        "Training rows are divided in time: fit to learn from, stop to choose the number of rounds, calibrate to make "
        "probabilities mean what they say. Rows between them are dropped where labels would reach across."
    )
    return Section("Training", "training", paragraph(words) + question.per_group(model_cards.training_cards))


def meaning(question: Question) -> Section:
    """The one-page explanation."""
    which_rows = part_words(question.runs[0].evaluation["part"])
    manifests = [found.manifest for found in question.distinct_datasets]
    html = explanation(manifests, question.horizons, which_rows)
    return Section("What the numbers mean", "meaning", html)


def _machine_words(machine: Mapping[str, Any]) -> str:
    """What a run's manifest says of its machine; instruction sets are a list."""
    return " ".join(value if isinstance(value, str) else " ".join(map(str, value)) for value in machine.values())


def provenance(question: Question) -> Section:
    """What it takes to repeat each run."""
    rows = [
        (run.path.name, run.manifest["seed"], run.manifest["threads"], run.manifest["device"], moment(_time(run)))
        for run in question.runs
    ]
    packages = _by_model((run.name, _packages(run)) for run in question.runs)
    pairs = [
        ("Dataset", _by_group(question, "data_fingerprint")),
        ("Rows", _by_group(question, "row_digest")),
        ("Written by", _by_model((run.name, run.manifest["created_by"]) for run in question.runs)),
        ("Machine", _by_model((run.name, _machine_words(run.manifest["machine"])) for run in question.runs)),
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
    """Each dataset as named, or where the best run of its first group found it."""
    named = None if dataset is None else read_manifest(dataset)
    best: dict[str, ReportedRun] = {}
    for run, *_ in groups.values():
        best.setdefault(run.manifest["data_fingerprint"], run)
    if named is not None and not any(_is_of(run, named) for run in best.values()):
        raise DataError(f"{dataset} is not the dataset of these runs.", where=str(dataset), help="name theirs")
    datasets = {
        fingerprint: Described(dataset, named) if named is not None and _is_of(run, named) else _found(run)
        for fingerprint, run in best.items()
    }
    return Question(groups, datasets)


def _is_of(run: ReportedRun, manifest: dict[str, Any]) -> bool:
    """Whether a run was trained on a dataset, or on one symbol of it."""
    found: str = run.manifest["data_fingerprint"]
    return found == symbol_fingerprint(manifest["fingerprint"], run.config.get("symbol"))


def _found(run: ReportedRun) -> Described:
    """The dataset where a run found it."""
    origin = run.config.get("dataset")
    if origin is None:
        return Described(None, None, "These runs were trained on data in memory; there is no dataset to describe.")
    try:
        manifest = read_manifest(Path(origin))
    except (InputMissingError, DataError) as error:
        return Described(None, None, f"The dataset cannot be described, because it is gone: {error.what}")
    if not _is_of(run, manifest):
        return Described(None, None, f"{origin} now holds another dataset than the one of these runs.")
    return Described(Path(origin), manifest)


def _dataset_html(question: Question, found: Described) -> str:
    """One dataset, under its symbols where the page has several."""
    own = [group for group, members in question.groups.items() if question.dataset_of(members) == found]
    symbols = dict.fromkeys(symbol for group in own for symbol in group.symbols)
    title = heading(listing(symbols)) if len(question.distinct_datasets) > 1 else ""
    manifest = found.manifest
    if manifest is None:
        return title + paragraph(found.missing, "warning")
    warnings = [*manifest["warnings"], *(words for each in manifest["sources"] for words in each["warnings"])]
    html = data_tables.symbol_table(manifest) + data_tables.part_table(manifest)
    html += data_tables.label_tables(manifest, sorted({group.horizon for group in own}))
    return title + html + "".join(paragraph(words, "warning") for words in warnings)


def _part_spans(question: Question) -> list[tuple[str, str]]:
    """When each part begins and ends; of several datasets that differ in it, all spans."""
    parts = [found.manifest["summary"]["parts"] for found in question.distinct_datasets if found.manifest]
    spans = {name: dict.fromkeys(_span(each[name]) for each in parts) for name in ("train", "val", "test")}
    return [(name.capitalize(), listing(found)) for name, found in spans.items() if found]


def _instruments(question: Question) -> list[dict[str, Any]]:
    """Of every symbol of the page, as the first run on it knew it."""
    known: dict[str, dict[str, Any]] = {}
    for run in question.runs:
        for each in run.features["data"]["instruments"]:
            known.setdefault(each["symbol"], each)
    return [each for symbol, each in known.items() if symbol in question.symbols]


def _title(question: Question) -> str:
    runs = question.runs
    horizons = f"horizon{'s' if len(question.horizons) > 1 else ''} {listing(question.horizons)}"
    return f"{listing(question.symbols)}, {_bars(runs)}, {horizons}: {plural(len(runs), 'run')}"


def _bars(runs: Sequence[ReportedRun]) -> str:
    sizes = sorted({run.features["data"]["bar_seconds"] for run in runs})
    return f"{listing(bar_size(seconds) for seconds in sizes)} bars"


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


def _by_group(question: Question, name: str) -> str:
    """An entry of the manifests of each group's best run."""
    words = group_words(question.groups)
    return _by_model((words[group], members[0].manifest[name]) for group, members in question.groups.items())


def _by_model(values: Iterable[tuple[str, Any]]) -> str:
    """One value where all names share it, else each value with its names: models, or groups of runs."""
    found: dict[str, dict[str, None]] = {}
    for name, value in values:
        found.setdefault(str(value), {})[name] = None
    if len(found) == 1:
        return next(iter(found))
    return "; ".join(f"{value}: {listing(names)}" for value, names in found.items())
