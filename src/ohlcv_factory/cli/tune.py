"""`tune`: the settings of one model, searched on purged folds of the train part."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ohlcv_factory.cli import options
from ohlcv_factory.cli.console import emit, fact_lines, table
from ohlcv_factory.cli.resume import told_how_to_resume

if TYPE_CHECKING:
    from ohlcv_factory.cli.recipes import TuneRecipe
    from ohlcv_factory.studies.tuning import Tuning, TuningResult


@options.with_flags(options.FIT, options.FOLDS, options.SEARCH, options.TRACKING)
def tune(
    model: Annotated[str | None, typer.Argument(help="Model name, see `models list`; or in the recipe.")] = None,
    config: options.ConfigFile = None,
    overrides: options.Overrides = None,
    score: Annotated[str | None, typer.Option("--score", help="Score of a fold that is looked for.")] = None,
    ranges: Annotated[
        list[str] | None,
        typer.Option("--range", help="Range of a field: C=0.01:10:log, max_depth=3:6, feature_set=A,B; repeat it."),
    ] = None,
    only: Annotated[str | None, typer.Option("--only", help="Fields that are drawn, comma between.")] = None,
    feature_sets: options.FeatureSets = None,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
    *,
    keys: dict[str, Any],
) -> None:
    """Search the settings of a model by cross-validation on the train part; the best become a recipe for `train`.

    Ranges are those of the model's own fields. Every trial is kept and counted. Rows of val and test are in no fold.
    """
    from ohlcv_factory.cli.recipes import TuneRecipe, read_fit_recipe
    from ohlcv_factory.runtime.threads import set_threads

    flags = {
        "model_name": model,
        **keys,
        "tune.score": score,
        **range_flags(ranges, "tune.space."),
        "tune.only": options.words(only),
    }
    recipe, _, _ = read_fit_recipe(TuneRecipe, config, overrides, flags, feature_sets)
    set_threads(recipe.threads)
    search, container = _opened(recipe)
    if dry_run:
        from ohlcv_factory.studies.tuning_plan import tuning_plan

        plan = tuning_plan(search, container)
        emit(plan, _plan_text(plan), as_json)
        return
    with told_how_to_resume(search):
        result = search.run(container, recipe.out)
    emit(result_values(result), result_text(result), as_json)


def resume_tune(folder: Path, dataset: Path | None, plugins: list[str] | None, as_json: bool) -> None:
    """Complete a search that was cut off, to the trials of one that was not."""
    from ohlcv_factory.cli.recipes import TuneRecipe, begun_recipe
    from ohlcv_factory.storage.experiments import TUNING_RECIPE

    recipe = begun_recipe(TuneRecipe, folder, TUNING_RECIPE, dataset, plugins)
    search, container = _opened(recipe)
    with told_how_to_resume(search):
        result = search.resume(folder, container)
    emit(result_values(result), result_text(result), as_json)


def result_values(result: TuningResult) -> dict[str, Any]:
    """What `--json` prints of a search."""
    from ohlcv_factory.studies.tuning import BEST

    places = {"output_path": str(result.path), "recipe": str(result.path / BEST)}
    return {"study_id": result.study_id, **places, "metrics": result.metrics}


def result_text(result: TuningResult) -> str:
    """Where the study lies, the leading trials, what mattered, what failed, and how to train the best."""
    from ohlcv_factory.studies.tuning import BEST

    facts = search_text(result.metrics)
    return f"study: {result.path}\n\n{facts}\n\ntrain it: ohlcv-factory train --config {result.path / BEST}"


def search_text(facts: Mapping[str, Any]) -> str:
    """One search: its leading trials beside the settings without it, importance, counts and failures."""
    names = list(facts["best"]["values"])
    leaders = [(row["rank"], row["trial"], *_row(row, names)) for row in facts["leaders"]]
    before = facts["defaults"]
    rows = [*leaders, *([("without", before["trial"], *_row(before, names))] if before else [])]
    importance = ", ".join(f"{name} {share:.0%}" for name, share in (facts["importance"] or {}).items())
    counts = ", ".join(f"{count} {name}" for name, count in facts["trials"].items() if count)
    failures = [f"failed: trial {number}: {reason}" for number, reason in facts["failures"].items()]
    repeated = [f"trial {number} repeats trial {earlier}" for number, earlier in facts["repeats"].items()]
    cut_off = [f"cut off and done again: {facts['cut_off']}"] if facts["cut_off"] else []
    return "\n".join(
        [
            table(("rank", "trial", "value", "skill", "macro F1", "return", *names), rows),
            "",
            facts["words"],
            *_penalties_words(facts["best"].get("penalties", {})),
            f"trials: {counts}",
            *cut_off,
            f"importance: {importance or 'too few finished trials that differ'}",
            *failures,
            *repeated,
        ]
    )


def _penalties_words(penalties: Mapping[str, float]) -> list[str]:
    told = ", ".join(f"{name.replace('_', ' ')} {cost:.4g}" for name, cost in penalties.items())
    return [f"penalties in the best value: {told}"] if told else []


def _row(told: Mapping[str, Any], names: list[str]) -> tuple[Any, ...]:
    scores = [told["scores"].get(name) for name in ("log_loss_skill", "macro_f1", "total_return")]
    return (told["value"], *scores, *(_value_text(told["values"].get(name)) for name in names))


def _value_text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "-" if value is None else str(value)


def _opened(recipe: TuneRecipe) -> tuple[Tuning, Any]:
    """The search of a recipe, and its data."""

    dataset = options.required_dataset(recipe.dataset, "tune")
    from ohlcv_factory.dataset.container import TimeSeriesDataContainer
    from ohlcv_factory.reports.tuning_report import write_tuning_page
    from ohlcv_factory.studies.tuning import Tuning

    search = Tuning(recipe.trainer_config(), recipe.tune, recipe.cv, write_page=write_tuning_page)
    return search, TimeSeriesDataContainer.from_dataset(dataset, recipe.horizon, symbol=recipe.symbol)


def range_flags(given: list[str] | None, section: str) -> dict[str, Any]:
    """`{"tune.space.C": {"low": 0.01, …}}` from `--range C=0.01:10:log`. Raises UsageError (2)."""
    from ohlcv_factory.errors import UsageError
    from ohlcv_factory.studies.tuning_space import range_of

    flags = {}
    for text in given or ():
        name, separator, words = text.partition("=")
        if not separator or not words:
            raise UsageError(
                f"--range takes field=range, got {text!r}.", where="--range", help="for example: --range C=0.01:10:log"
            )
        flags[f"{section}{name.strip()}"] = range_of(words)
    return flags


def _plan_text(plan: dict[str, Any]) -> str:
    rows = [(each["name"], _range_text(each), _value_text(each["default"])) for each in plan["space"]]
    folds = [(fold["fold"], *fold["rows"].values()) for fold in plan["folds"]]
    facts = fact_lines({name: value for name, value in plan.items() if name not in ("folds", "space")})
    blocks = table(("fold", "train", "train scored", "tested", "tested scored"), folds)
    return f"{facts}\n\n{table(('field', 'range', 'default'), rows)}\n\n{blocks}"


def _range_text(each: Mapping[str, Any]) -> str:
    if each["choices"] is not None:
        return ", ".join(map(str, each["choices"]))
    return f"{each['low']:g} to {each['high']:g}{', log' if each['log'] else ''}"
