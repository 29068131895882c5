"""`recommend`: which model to begin with on a dataset, why, and a recipe for `train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ohlcv_factory.cli import options
from ohlcv_factory.cli.console import emit, table

if TYPE_CHECKING:
    from ohlcv_factory.studies.recommendation import Recommendation

SET_HEADER = ("set", "columns", "rows/column", "correlated pairs", "correlated columns")
CANDIDATE_HEADER = ("model", "from", "columns", "look-back", "GB", "ms/answer", "minutes", "possible")
BRANCH_HEADER = ("question", "answer", "because", "how it is known")
DEFAULT_HORIZON = 20
"""Where none is asked for; of a dataset without it the first."""


def recommend(
    dataset: options.Dataset = None,
    symbol: options.OneSymbol = None,
    horizon: options.Horizon = None,
    interpretable: Annotated[
        bool, typer.Option("--interpretable", help="People must be able to read the model.")
    ] = False,
    latency_ms: Annotated[
        float | None, typer.Option("--latency-ms", help="Longest that an answer may take; it is measured.")
    ] = None,
    context_bars: Annotated[
        int | None, typer.Option("--context-bars", help="Bars that an answer is to look back on.")
    ] = None,
    covariates: Annotated[
        bool, typer.Option("--covariates", help="Make use of columns that are known in advance, at several horizons.")
    ] = False,
    minutes: Annotated[
        float | None, typer.Option("--minutes", help="Longest that a training may take; it is estimated.")
    ] = None,
    correlation: Annotated[
        float | None,
        typer.Option("--correlation", help="|rho| from which on columns count as correlated; default 0.8."),
    ] = None,
    checkpoint: Annotated[
        str | None, typer.Option("--checkpoint", help="Folder or name of a checkpoint, for foundation models.")
    ] = None,
    runs: Annotated[
        list[Path] | None,
        typer.Option("--runs", help="Run folders, or an experiments folder, that may overrule the tree; repeat it."),
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", help="Score that the runs of --runs are compared by; default sharpe_ratio.")
    ] = None,
    plugins: options.Plugins = None,
    out: Annotated[Path | None, typer.Option("--out", help="Also write the recipe to this file.")] = None,
    seed: options.Seed = None,
    threads: options.Threads = None,
    as_json: options.AsJson = False,
) -> None:
    """Walk the specification's decision tree for a dataset, measure what can be measured, and give a recipe for `train`.

    What nobody can measure is asked by flags. Finished runs on the same rows outrank the tree, which is an opinion.
    """
    from ohlcv_factory.runtime.threads import set_threads

    set_threads(threads)

    from ohlcv_factory.dataset.container import TimeSeriesDataContainer
    from ohlcv_factory.models.base import DEFAULT_SEED
    from ohlcv_factory.runtime.plugin_files import load_plugins
    from ohlcv_factory.storage import atomic
    from ohlcv_factory.studies import recommendation
    from ohlcv_factory.studies.dataset_facts import Wishes

    dataset = options.required_dataset(dataset, "recommend")
    asked = {"latency_ms": latency_ms, "context_bars": context_bars, "minutes": minutes, "correlation": correlation}
    given = {name: value for name, value in {**asked, "checkpoint": checkpoint}.items() if value is not None}
    wishes = Wishes.parse({**given, "interpretable": interpretable, "covariates": covariates}, where="recommend")
    load_plugins(plugins or ())
    container = TimeSeriesDataContainer.from_dataset(dataset, horizon or _offered_horizon(dataset), symbol=symbol)
    found = recommendation.recommend(
        container, wishes, runs=runs or (), by=by, seed=DEFAULT_SEED if seed is None else seed
    )
    if out is not None:
        atomic.write_text(out, found.recipe_text)
    emit(found.plain(), recommendation_text(found, out), as_json)


def recommendation_text(found: Recommendation, out: Path | None = None) -> str:
    """What was measured, each fork of the tree, the candidates, the matrix, finished runs, the choice and its recipe."""
    parts = [
        _facts_text(found),
        f"the specification's tree: {found.way.advice.words}\n{table(BRANCH_HEADER, _branch_rows(found))}",
        "\n".join([f"candidates\n{table(CANDIDATE_HEADER, _candidate_rows(found))}", *_candidate_words(found)]),
        f"the specification's comparison matrix\n{_matrix_table(found)}",
        *([_runs_text(found)] if found.compared else []),
        f"recommended: {found.chosen.model} ({found.reason})",
        "\n".join(f"warning: {each}" for each in found.warnings),
        _recipe_text(found, out),
    ]
    return "\n\n".join(parts)


def _facts_text(found: Recommendation) -> str:
    facts, machine = found.facts, found.machine
    free = "unknown" if machine.memory_free_gb is None else f"{machine.memory_free_gb:g} GB"
    rows = [
        (each.name, each.columns, each.rows_per_column, each.correlated_pairs, each.correlated_columns)
        for each in facts.sets
    ]
    lines = [
        f"rows: {facts.train_rows:,} scored train rows, {facts.fit_rows:,} of them to fit on",
        f"look-back: {facts.lookback_available} bars before and at each row; horizons: {', '.join(map(str, facts.horizons))}",
        f"machine: {machine.cores} cores, {free} free, GPU: {', '.join(machine.gpus) or 'none'}",
    ]
    return "\n".join([*lines, "", table(SET_HEADER, rows)])


def _branch_rows(found: Recommendation) -> list[tuple[Any, ...]]:
    return [
        (each.asks, "yes" if each.answer else "no", each.fact.words, each.fact.origin) for each in found.way.branches
    ]


def _candidate_rows(found: Recommendation) -> list[tuple[Any, ...]]:
    return [
        (
            *(each.model, each.source, each.features, each.lookback),
            *(each.memory_gb, each.answer_ms, each.minutes),
            each.is_possible,
        )
        for each in found.candidates
    ]


def _candidate_words(found: Recommendation) -> list[str]:
    """What stands in the way of candidates, and what is to be said of them."""
    return [f"{each.model}: {words}" for each in found.candidates for words in (*each.obstacles, *each.notes)]


def _matrix_table(found: Recommendation) -> str:
    from ohlcv_factory.studies.selection_guide import selection_guide

    guide = selection_guide()
    rows = [(each.model, *guide.row(each.model).values()) for each in found.candidates]
    return table(("model", *(name.replace("_", " ") for name in guide.columns)), rows)


def _runs_text(found: Recommendation) -> str:
    from ohlcv_factory.studies.leaderboard import RANK_HEADER, rank_rows

    assert found.compared is not None
    words = "\n".join(found.compared.words)
    return (
        f"finished runs on these rows, by {found.compared.by}\n{table(RANK_HEADER, rank_rows(found.compared))}\n{words}"
    )


def _recipe_text(found: Recommendation, out: Path | None) -> str:
    if out is None:
        return f"recipe (--out FILE writes it)\n{found.recipe_text}".rstrip()
    return f"recipe: {out}\ntrain it: ohlcv-factory train --config {out}"


def _offered_horizon(dataset: Path) -> int:
    from ohlcv_factory.dataset.store import read_manifest

    offered: list[int] = read_manifest(dataset)["config"]["horizons"]
    return DEFAULT_HORIZON if DEFAULT_HORIZON in offered else offered[0]
