"""What a page says of an ensemble: which of ensemble, plain average and best member won, and how its members differ."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ohlcv_factory.reports.page import heading, paragraph, table
from ohlcv_factory.reports.reported_run import ReportedRun
from ohlcv_factory.reports.words import DASH, listing, percent, score
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.studies.ensembling import ENSEMBLE_METRICS


def ensemble_cards(runs: Iterable[ReportedRun]) -> str:
    """One card for each ensemble among the runs; nothing where there is none."""
    return "".join(_card(run) for run in runs if (run.path / ENSEMBLE_METRICS).is_file())


def _card(run: ReportedRun) -> str:
    facts: dict[str, Any] = read_json(run.path / ENSEMBLE_METRICS)
    read = facts["read_by_the_head"]
    words = f"{run.name} reads {listing(read)}; new rows are predicted by the members' {_final_words(facts['final'])}."
    return (
        heading(f"{run.name}: {facts['comparison']['winner']} won")
        + paragraph(facts["comparison"]["words"], "" if facts["comparison"]["recommended"] else "warning")
        + paragraph(words)
        + _loss_table(facts)
        + _diversity_table(facts)
    )


def _final_words(final: str) -> str:
    return "fits on the whole train part" if final == "refit" else "fold models, averaged"


def _loss_table(facts: dict[str, Any]) -> str:
    known = facts["out_of_fold"]["log_loss"]
    rows = [
        (name, score(known[name]) if name in known else DASH, score(loss))
        for name, loss in facts["comparison"]["log_loss"].items()
    ]
    return table(("Log-loss (nats)", "Out of fold, train part", "Val part"), rows)


def _diversity_table(facts: dict[str, Any]) -> str:
    rows = [
        (
            f"{pair['first']}, {pair['second']}",
            percent(pair["disagreement"]),
            score(pair["correlation"]),
            percent(pair["double_fault"]),
        )
        for pair in facts["out_of_fold"]["diversity"]
    ]
    header = ("Pair", "Disagreement", "Correlation of hits", "Double fault")
    return table(header, rows, caption="How differently members err, out of fold")
