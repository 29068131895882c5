"""`tune-barriers`: the barriers of labels, searched by what a model's predictions earn on them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ohlcv_factory.cli import options, tune
from ohlcv_factory.cli.console import emit, table
from ohlcv_factory.cli.resume import told_how_to_resume

if TYPE_CHECKING:
    from ohlcv_factory.cli.recipes import BarrierRecipe
    from ohlcv_factory.studies.barrier_tuning import BarrierTuning, BarrierTuningResult

OF_OTHER_VERBS = ("symbol", "horizon", "feature_selection", "weighting", "experiment", "embargo")
HEADER = ("barriers", "k_up", "k_down", "max_bars", "short", "neutral", "long", "bars to end", "timed out", "ambiguous")


@options.with_flags(options.FIT, options.FOLDS, options.SEARCH, options.TRACKING, without=OF_OTHER_VERBS)
def tune_barriers(
    model: Annotated[
        str | None, typer.Option("--model", help="Model whose predictions are traded; default logistic.")
    ] = None,
    symbols: Annotated[str | None, typer.Option("--symbols", help="Symbols: A,B; default: all of the dataset.")] = None,
    horizons: Annotated[
        str | None, typer.Option("--horizons", help="Horizons: 5,20; default: all of the dataset.")
    ] = None,
    config: options.ConfigFile = None,
    overrides: options.Overrides = None,
    score: Annotated[
        str | None, typer.Option("--score", help="Score of a fold after costs; default total_return, the net P&L.")
    ] = None,
    ranges: Annotated[
        list[str] | None, typer.Option("--range", help="Range of k_up, k_down or max_bars: k_up=1:3, max_bars=10:60.")
    ] = None,
    as_json: options.AsJson = False,
    *,
    keys: dict[str, Any],
) -> None:
    """Search the barriers of each symbol and horizon by net profit of out-of-fold predictions inside the train part.

    Each trial labels the bars anew, so no score on labels can compare them. `barriers.yaml` in the study folder is what
    `data build --config` takes.
    """
    from ohlcv_factory.cli.recipes import BarrierRecipe, read_fit_recipe
    from ohlcv_factory.runtime.threads import set_threads

    flags = {
        "model_name": model,
        **keys,
        "tune.symbols": options.words(symbols),
        "tune.horizons": options.integers(horizons, "--horizons"),
        "tune.score": score,
        **tune.range_flags(ranges, "tune."),
    }
    recipe, _, _ = read_fit_recipe(BarrierRecipe, config, overrides, flags)
    set_threads(recipe.threads)
    search = _opened(recipe)
    with told_how_to_resume(search):
        result = search.run(recipe.out)
    emit(result_values(result), result_text(result), as_json)


def resume_barriers(folder: Path, dataset: Path | None, plugins: list[str] | None, as_json: bool) -> None:
    """Complete a search for barriers that was cut off, to the trials of one that was not."""
    from ohlcv_factory.cli.recipes import BarrierRecipe, begun_recipe
    from ohlcv_factory.storage.experiments import BARRIER_RECIPE

    recipe = begun_recipe(BarrierRecipe, folder, BARRIER_RECIPE, dataset, plugins)
    search = _opened(recipe)
    with told_how_to_resume(search):
        result = search.resume(folder)
    emit(result_values(result), result_text(result), as_json)


def result_values(result: BarrierTuningResult) -> dict[str, Any]:
    """What `--json` prints of a search for barriers."""
    from ohlcv_factory.studies.barrier_tuning import PIECE

    places = {"output_path": str(result.path), "recipe": str(result.path / PIECE)}
    return {"study_id": result.study_id, **places, "metrics": result.metrics}


def result_text(result: BarrierTuningResult) -> str:
    """Each symbol and horizon: the leading trials, what the optimum means beside the barriers before, and what to do."""
    from ohlcv_factory.studies.barrier_tuning import PIECE

    parts = [_search_text(each) for each in result.metrics["searches"]]
    build = f"build with them: ohlcv-factory data build BARS --config {result.path / PIECE} --out DIR"
    return "\n\n".join([f"study: {result.path}", *parts, build])


def _search_text(entry: Mapping[str, Any]) -> str:
    rows = [(words, *_meaning(entry[name])) for words, name in (("found", "found"), ("before", "before"))]
    return f"{entry['symbol']}, horizon {entry['horizon']}\n{tune.search_text(entry)}\n\n{table(HEADER, rows)}"


def _meaning(facts: Mapping[str, Any]) -> tuple[Any, ...]:
    shares = facts["class_shares"]
    return (
        *(facts[name] for name in ("k_up", "k_down", "max_bars")),
        *(shares[name] for name in ("short", "neutral", "long")),
        *(facts[name] for name in ("bars_to_end", "timed_out", "ambiguous")),
    )


def _opened(recipe: BarrierRecipe) -> BarrierTuning:
    """The search of a recipe."""

    dataset = options.required_dataset(recipe.dataset, "tune-barriers")
    from ohlcv_factory.reports.barrier_report import write_barrier_page
    from ohlcv_factory.studies.barrier_tuning import BarrierTuning

    return BarrierTuning(recipe.trainer_config(), dataset, recipe.tune, recipe.cv, write_page=write_barrier_page)
