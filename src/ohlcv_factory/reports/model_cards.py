"""What each model did, one card per model: decisions against truth, confidence against outcome, importance, fitting."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from ohlcv_factory.evaluation.calibrators import Isotonic, Sigmoid
from ohlcv_factory.evaluation.decisions import ARGMAX
from ohlcv_factory.labels.classes import CLASS_NAMES
from ohlcv_factory.reports.charts import Axis, bar, nice_axis, reliability_chart
from ohlcv_factory.reports.page import Markup, bullets, cards, facts, paragraph, table, text
from ohlcv_factory.reports.reported_run import ReportedRun
from ohlcv_factory.reports.words import count, duration, listing, number, percent, score

TOP_FEATURES = 10
FEWEST_ROWS = 20
"""Bins of a reliability curve with fewer are left out: their share says nothing."""
PRETRAINED = (
    "Verified by the factory's own tests: loading, forecasting, training and saving, with tiny random weights of the same "
    "classes, against the numbers of the libraries. Not verified: what these weights forecast; no real checkpoint was within "
    "reach when the code was written. The scores of this report are the first evidence."
)
"""What a card says of every model that begins with weights from elsewhere."""


def confusion_cards(group: Sequence[ReportedRun]) -> str:
    """Confusion matrix and F1 per class."""
    return cards((run.name, _confusion(run.evaluation["classification"])) for run in group)


def reliability_cards(group: Sequence[ReportedRun]) -> str:
    """Reliability curve of each model, all on the same scale."""
    filled = {run.name: _filled_bins(run.evaluation["classification"]) for run in group}
    axis = _common_axis([each for bins in filled.values() for each in bins])
    return cards((run.name, _reliability(run, filled[run.name], axis)) for run in group)


def coverage_table(group: Sequence[ReportedRun]) -> str:
    """How prediction sets kept their coverage, where a model makes sets."""
    rows = [
        (
            f"{run.name}, {kind}",
            percent(sets["nominal"]),
            percent(sets["coverage"]),
            *(percent(share) for share in (sets["coverage_by_class"] or dict.fromkeys(CLASS_NAMES)).values()),
            number(sets["mean_size"]),
            percent(sets["acted_share"]),
        )
        for run in group
        for kind, name in (("fixed", "sets"), ("adaptive", "adaptive_sets"))
        if (sets := decision_rule(run)[name])
    ]
    columns = ("Sets", "Nominal", "Held the truth", *(f"of {name}" for name in CLASS_NAMES), "Classes", "One direction")
    words = (
        "A prediction set holds every class that cannot be ruled out; only a set of one direction is traded. Fixed sets are "
        "what was traded. Adaptive ones follow the labels as they become known: where they hold the truth more often, the "
        "market has drifted from the rows that the sets were fitted on."
    )
    return table(columns, rows, caption="Coverage of the prediction sets") + paragraph(words, "note") if rows else ""


def decision_rule(run: ReportedRun) -> Mapping[str, Any]:
    """The run's rule in words, and its coverage; runs of the first version took the most probable class."""
    first: dict[str, Any] = {"words": ARGMAX.words, "sets": None, "adaptive_sets": None}
    return run.evaluation.get("decision") or first


def importance_cards(group: Sequence[ReportedRun]) -> str:
    """Importance by category and of the top features; models without importances are named below."""
    silent = [run.name for run in group if not run.importance]
    words = paragraph(f"No importances: {listing(silent)}.", "note") if silent else ""
    return cards((run.name, _importance(run)) for run in group if run.importance) + words


def training_cards(group: Sequence[ReportedRun]) -> str:
    """Rows, rounds, losses, hyper-parameters and notes."""
    return cards((run.name, _training(run)) for run in group)


def ranking(title: str, shares: Sequence[tuple[str, float]], kind: str) -> str:
    """Shares by name as bars, as long as their share of the largest."""
    largest = max((share for _, share in shares), default=0.0) or 1.0
    rows = [(name, Markup(bar(share / largest, kind)), percent(share)) for name, share in shares]
    return table((title, "", "Share"), rows, kind="ranking")


def _confusion(classes: Mapping[str, Any]) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in CLASS_NAMES)
    rows = "".join(
        _confusion_row(name, cells, classes["per_class_f1"][name])
        for name, cells in zip(CLASS_NAMES, classes["confusion_matrix"], strict=True)
    )
    return (
        '<div class="scroll"><table class="confusion"><thead><tr><th scope="col">truth</th>'
        f'{head}<th scope="col">F1</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _confusion_row(name: str, cells: Sequence[float], f1: float | None) -> str:
    """Counts of one true class, shaded and annotated by their share of it."""
    total = sum(cells)
    shares = [cell / total if total else 0.0 for cell in cells]
    values = "".join(
        f'<td style="--share:{share:.3f}">{count(cell)}<small>{percent(share if total else None, 0)}</small></td>'
        for cell, share in zip(cells, shares, strict=True)
    )
    return f'<tr><th scope="row">{name}</th>{values}<td style="--share:0">{score(f1)}</td></tr>'


def _filled_bins(classes: Mapping[str, Any]) -> list[tuple[float, float, int]]:
    return [
        (each["confidence"], each["accuracy"], each["rows"])
        for each in classes["reliability"] or ()
        if each["rows"] >= FEWEST_ROWS
    ]


def _common_axis(bins: Sequence[tuple[float, float, int]]) -> Axis:
    shares = [share for confidence, accuracy, _ in bins for share in (confidence, accuracy)]
    return nice_axis(min(shares, default=0.0), max(shares, default=1.0), most_ticks=6)


def _reliability(run: ReportedRun, bins: Sequence[tuple[float, float, int]], axis: Axis) -> str:
    if not bins:
        return paragraph("No probabilities to judge.")
    classes = run.evaluation["classification"]
    chart = reliability_chart(bins, axis, f"reliability of {run.name}", run.kind)
    return chart + paragraph(f"ECE {score(classes['ece'])}, log-loss {score(classes['log_loss'])}")


def _importance(run: ReportedRun) -> str:
    by_category: dict[str, float] = defaultdict(float)
    for each in run.importance:
        by_category[each["category"]] += each["importance"]
    categories = sorted(by_category.items(), key=lambda item: (-item[1], item[0]))
    top = [(each["feature"], each["importance"]) for each in run.importance[:TOP_FEATURES]]
    return ranking("Category", categories, run.kind) + ranking(f"Top {len(top)} features", top, run.kind)


def _training(run: ReportedRun) -> str:
    training, rows = run.training, run.training["rows"]
    used = ", ".join(f"{name} {count(rows.get(name))}" for name in ("fit", "stop", "calibrate"))
    used += f" (of them {count(rows['decide'])} for the decision rule)" if "decide" in rows else ""
    pairs = [
        ("Training rows", f"{count(rows.get('train'))}: {used}"),
        ("Rounds", _rounds(training)),
        ("Time", duration(training["training_time_seconds"])),
        ("Log-loss", f"fit {score(training['train_loss'])}, stop {score(training['val_loss'])}"),
        ("Macro-F1", f"fit {score(training['train_f1'])}, stop {score(training['val_f1'])}"),
        ("Calibrator", _calibrator(training["calibrator"])),
    ]
    notes = "<p>Notes</p>" + bullets(training["notes"]) if training["notes"] else paragraph("No notes.")
    return (
        facts(pairs)
        + _pretraining(training.get("pretraining", ()))
        + notes
        + _hyper_parameters(run.config.get("model") or {})
    )


def _pretraining(checkpoints: Sequence[Mapping[str, Any]]) -> str:
    """The checkpoints that a model began with, and what is known of such a model; nothing for the others."""
    if not checkpoints:
        return ""
    return "".join(map(_checkpoint, checkpoints)) + paragraph(PRETRAINED, "note")


def _checkpoint(stated: Mapping[str, Any]) -> str:
    pairs = [
        ("Checkpoint", f"{stated['name']}, sha256 {stated['digest'][:12]}…, from {stated['path']}"),
        ("Licence", stated["licence"] or "not known here"),
        ("Data until", f"{stated['data_until'] or 'nobody says'} ({stated['source']})"),
    ]
    return facts(pairs)


def _rounds(training: Mapping[str, Any]) -> str:
    if not training["best_epoch"]:
        return "fitted in one call"
    ending = "stopped early" if training["early_stopped"] else "ran to the end"
    return f"{count(training['epochs_trained'])}, best {count(training['best_epoch'])}, {ending}"


def _calibrator(state: Mapping[str, Any]) -> str:
    """The kind and its numbers; identity leaves probabilities as they are."""
    if state["kind"] == Isotonic.kind:
        return f"isotonic, {listing(len(curve['x']) for curve in state['curves'])} knots"
    if state["kind"] == Sigmoid.kind:
        return f"sigmoid, slope {_by_class(state['slope'])}; intercept {_by_class(state['intercept'])}"
    if state["temperature"] == 1 and not any(state["bias"]):
        return "identity"
    return f"temperature {number(state['temperature'])}; bias {_by_class(state['bias'])}"


def _by_class(values: Sequence[float]) -> str:
    return ", ".join(f"{name} {number(value)}" for name, value in zip(CLASS_NAMES, values, strict=True))


def _hyper_parameters(values: Mapping[str, Any]) -> str:
    if not values:
        return ""
    words = ", ".join(f"{name} {value}" for name, value in values.items() if value is not None)
    return f"<details><summary>Hyper-parameters</summary><p>{text(words)}</p></details>"
