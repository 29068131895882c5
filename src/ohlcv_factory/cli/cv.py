"""`cv`: one model fold by fold over the train part."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ohlcv_factory.cli import options
from ohlcv_factory.cli.console import emit, fact_lines, table
from ohlcv_factory.cli.resume import told_how_to_resume

if TYPE_CHECKING:
    from ohlcv_factory.cli.recipes import CrossValidationRecipe
    from ohlcv_factory.studies.cross_validation import CrossValidation, CrossValidationResult
    from ohlcv_factory.studies.final_model import FinalModel

BLOCK_HEADER = ("fold", "from", "to", "rows", "skill", "macro F1", "hit rate", "independent", "log-loss", "Sharpe")
SHOWN_FEATURES = 15
SUMMARY_NAMES = ("log_loss_skill", "log_loss", "macro_f1", "direction_edge", "sharpe_ratio", "annualized_return")


@options.with_flags(options.FIT, options.FOLDS, options.EXECUTOR, options.TRACKING)
def cv(
    model: Annotated[str | None, typer.Argument(help="Model name, see `models list`; or in the recipe.")] = None,
    config: options.ConfigFile = None,
    overrides: options.Overrides = None,
    test_groups: Annotated[
        int | None, typer.Option("--test-groups", help="Groups that each combinatorial fold tests; default 2.")
    ] = None,
    past: Annotated[
        str | None, typer.Option("--past", help="What walk_forward learns from: expanding or rolling.")
    ] = None,
    train_share: Annotated[
        float | None, typer.Option("--train-share", help="Share of the times before walk_forward's first test.")
    ] = None,
    purge_windows: Annotated[
        bool | None, typer.Option("--purge-windows", help="Keep training windows off the tested blocks too.")
    ] = None,
    keep_models: Annotated[
        bool | None, typer.Option("--keep-models", help="Keep the fitted model of every fold.")
    ] = None,
    importance: Annotated[
        bool | None,
        typer.Option("--importance", help="Permutation importance of columns, categories and bars out of fold."),
    ] = None,
    final: Annotated[
        bool | None,
        typer.Option("--final", help="Also a model of all train rows, calibrated on all out-of-fold rows: a bundle."),
    ] = None,
    feature_sets: options.FeatureSets = None,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
    *,
    keys: dict[str, Any],
) -> None:
    """Cross-validate one model on the train part: everything fitted inside each fold, every row predicted out of fold.

    Rows of val and test are in no fold. The study folder holds the predictions, scores with spread and drift, and a page.
    Folds are done one after the other, or by an executor: as many at once as there are cores, with one thread each.
    """
    from ohlcv_factory.cli.recipes import CrossValidationRecipe, read_fit_recipe
    from ohlcv_factory.runtime.threads import set_threads

    flags = {
        "model_name": model,
        **keys,
        "cv.test_groups": test_groups,
        "cv.past": past,
        "cv.train_share": train_share,
        "cv.purge_windows": purge_windows,
        "cv.keep_models": keep_models,
        "cv.importance": importance,
        "cv.final": final,
    }
    recipe, _, _ = read_fit_recipe(CrossValidationRecipe, config, overrides, flags, feature_sets)
    set_threads(recipe.threads if recipe.executor == "here" else recipe.threads or 1)
    study, container = _opened(recipe)
    if dry_run:
        from ohlcv_factory.studies.cross_validation_plan import cross_validation_plan

        plan = cross_validation_plan(study, container)
        emit(plan, _plan_text(plan), as_json)
        return
    with told_how_to_resume(study), _carrying_out(study, recipe):
        result = study.run(container)
    emit(result_values(result), result_text(result), as_json)


def resume_cv(folder: Path, dataset: Path | None, plugins: list[str] | None, as_json: bool) -> None:
    """Complete a cross-validation that was cut off: finished folds stay, the others are fitted."""
    from ohlcv_factory.cli.recipes import CrossValidationRecipe, begun_recipe
    from ohlcv_factory.studies.study_folder import RECIPE

    recipe = begun_recipe(CrossValidationRecipe, folder, RECIPE, dataset, plugins)
    study, container = _opened(recipe)
    with told_how_to_resume(study):
        result = study.resume(folder, container)
    emit(result_values(result), result_text(result), as_json)


def result_values(result: CrossValidationResult) -> dict[str, Any]:
    """What `--json` prints of a cross-validation."""
    values = {"study_id": result.study_id, "output_path": str(result.path), "metrics": result.metrics}
    return values if result.importance is None else {**values, "importance": result.importance}


def result_text(result: CrossValidationResult) -> str:
    """Where the study lies, every tested block, mean and spread, the grade, and the path beside the baselines."""
    from ohlcv_factory.studies.cross_validation import stability_words

    metrics = result.metrics
    blocks = table(BLOCK_HEADER, [_block_row(entry) for entry in metrics["blocks"]])
    spread = table(
        ("score", "mean", "spread", "low", "high"),
        [
            (name, *(metrics["summary"][name][each] for each in ("mean", "spread", "low", "high")))
            for name in SUMMARY_NAMES
        ],
    )
    paths = "\n\n".join(_path_text(metrics, block) for block in metrics["out_of_fold"])
    notes = "".join(f"  note: {note}\n" for note in result.notes)
    head = f"study: {result.path}\n{notes}\n{blocks}\n\n{spread}\n\n{stability_words(metrics)}\n\n{paths}"
    parts = [head]
    if result.importance is not None:
        parts.append(importance_text(result.importance))
    if result.final is not None:
        parts.append(final_text(result.final))
    return "\n\n".join(parts)


def final_text(final: FinalModel) -> str:
    """Where the final model lies, its calibrator, its scores on val beside the baselines, and the verdict."""
    from ohlcv_factory.cli.scores import score_table

    kind, rows = final.calibration["method"], final.calibration["rows"]
    head = f"final model: {final.folder}\n  calibration: {kind}, on {rows} out-of-fold rows; scores on val"
    return f"{head}\n{score_table(final.evaluation)}\n\n{final.evaluation['verdict']['words']}"


def importance_text(records: list[dict[str, Any]]) -> str:
    """The most important features, all categories and the stretches of bars, each with its spread over the folds."""
    chosen: dict[str, list[tuple[Any, ...]]] = {"feature": [], "category": [], "bars": []}
    for record in records:
        ends = record["interval"]
        interval = f"[{ends[0]:+.4f}, {ends[1]:+.4f}]" if ends else "-"
        row = (record["name"], f"{record['increase']:+.4f}", record["spread"], interval)
        chosen[record["subject"]].append(row)
    texts = [
        table((subject, "log-loss", "spread", "90 %"), rows[:SHOWN_FEATURES])
        for subject, rows in chosen.items()
        if rows
    ]
    return "\n\n".join(["increase of the log-loss out of fold when exchanged among the rows, in nats", *texts])


def _opened(recipe: CrossValidationRecipe) -> tuple[CrossValidation, Any]:
    """The study of a recipe, and its data."""

    dataset = options.required_dataset(recipe.dataset, "cv")
    from ohlcv_factory.dataset.container import TimeSeriesDataContainer
    from ohlcv_factory.reports.study_report import write_study_page
    from ohlcv_factory.studies.cross_validation import CrossValidation

    study = CrossValidation(recipe.trainer_config(), recipe.cv, write_page=write_study_page)
    return study, TimeSeriesDataContainer.from_dataset(dataset, recipe.horizon, symbol=recipe.symbol)


@contextmanager
def _carrying_out(study: CrossValidation, recipe: CrossValidationRecipe) -> Iterator[None]:
    """Meanwhile the study's folds go to the executor of the recipe, where it names one."""
    if recipe.executor == "here":
        yield
        return
    from ohlcv_factory.runtime.threads import thread_count
    from ohlcv_factory.studies.cross_validation import on_executor
    from ohlcv_factory.studies.executor.protocol import open_executor

    threads = thread_count()
    with open_executor(recipe.executor, workers=recipe.workers, threads=threads, address=recipe.address) as executor:
        study.run_folds = on_executor(executor)
        yield


def _block_row(entry: dict[str, Any]) -> tuple[Any, ...]:
    classes = entry["classification"]
    return (
        entry["fold"],
        entry["first"][:16].replace("T", " "),
        entry["last"][:16].replace("T", " "),
        entry["rows"]["scored"],
        entry["log_loss_skill"],
        *(classes[name] for name in ("macro_f1", "direction_hit_rate", "independent_rate", "log_loss")),
        entry["trading"]["sharpe_ratio"],
    )


def _path_text(metrics: dict[str, Any], block: dict[str, Any]) -> str:
    from ohlcv_factory.cli.scores import score_table

    several = f", path {block['path']}" if len(metrics["out_of_fold"]) > 1 else ""
    scores = score_table({"model_name": metrics["model_name"], **block})
    return f"out of fold{several}\n{scores}\n\n{block['verdict']['words']}"


def _plan_text(plan: dict[str, Any]) -> str:
    rows = [(fold["fold"], *fold["rows"].values()) for fold in plan["folds"]]
    header = ("fold", "train", "train scored", "tested", "tested scored")
    facts = fact_lines({name: value for name, value in plan.items() if name != "folds"})
    return f"{facts}\n\n{table(header, rows)}"
