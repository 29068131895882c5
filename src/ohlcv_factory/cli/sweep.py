"""`sweep`: models x horizons x symbols x seeds, in processes of this machine or on a Ray cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ohlcv_factory.cli import options
from ohlcv_factory.cli.console import emit, fact_lines, say, table

if TYPE_CHECKING:
    from ohlcv_factory.cli.recipes import SweepRecipe
    from ohlcv_factory.studies.sweep import PlannedRun, Sweep, SweepOutcome

SCORES = ("macro_f1", "log_loss", "sharpe_ratio")


@options.with_flags(options.RUNS, options.EXECUTOR, options.TRACKING, without=("run_name",))
def sweep(
    models: Annotated[str | None, typer.Option("--models", help="Model names, comma between.")] = None,
    horizons: Annotated[
        str | None, typer.Option("--horizons", help="Label horizons in bars: 5,10; default: all of the dataset.")
    ] = None,
    symbols: Annotated[
        str | None,
        typer.Option("--symbols", help="One run per symbol: A,B or each; default: one model on all symbols."),
    ] = None,
    seeds: Annotated[str | None, typer.Option("--seeds", help="One run per seed: 1,2,3")] = None,
    config: options.ConfigFile = None,
    overrides: options.Overrides = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the study; one that was begun is continued.")
    ] = None,
    threads: Annotated[int | None, typer.Option("--threads", help="Threads of each job.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show jobs, memory and cores; do nothing.")] = False,
    as_json: options.AsJson = False,
    *,
    keys: dict[str, Any],
) -> None:
    """Train every combination in one study folder; what is finished there is not done again.

    A sweep that was cut off is continued by the same command.
    """
    from ohlcv_factory.runtime.threads import set_threads

    set_threads(1)

    from ohlcv_factory.cli.recipes import SweepRecipe, read_recipe
    from ohlcv_factory.runtime.plugin_files import load_plugins
    from ohlcv_factory.studies.sweep import plan_sweep

    flags = {
        "models": options.words(models),
        "horizons": options.integers(horizons, "--horizons"),
        "symbols": options.words(symbols),
        "seeds": options.integers(seeds, "--seeds"),
        **keys,
        "out": out,
        "threads": threads,
    }
    recipe, _ = read_recipe(SweepRecipe, config, overrides, flags)
    dataset = options.required_dataset(recipe.dataset, "sweep")
    load_plugins(recipe.plugins)
    planned = plan_sweep(recipe.sweep_config(), dataset, recipe.out, plugins=recipe.plugins, threads=recipe.threads)
    if dry_run:
        emit(plan_values(planned, recipe), plan_text(planned, recipe), as_json)
        return
    outcome = carried_out(planned, recipe)
    emit(outcome_values(outcome), outcome_text(outcome), as_json)
    if outcome.failures:
        raise typer.Exit(outcome.failures[0][1]["exit_code"])


def carried_out(planned: Sweep, recipe: SweepRecipe) -> SweepOutcome:
    """Run the sweep; on Ctrl-C or SIGTERM its workers end first, and the user is told that it can be continued."""
    from ohlcv_factory.runtime.progress import meter
    from ohlcv_factory.studies.executor.protocol import open_executor
    from ohlcv_factory.studies.sweep import run_sweep

    executor = open_executor(recipe.executor, workers=recipe.workers, threads=recipe.threads, address=recipe.address)
    try:
        with executor, meter(len(planned.runs), "sweep") as bar:
            return run_sweep(planned, executor, lambda result: bar.update())
    except KeyboardInterrupt:
        say(f"the same command continues the study {planned.folder}")
        raise


def plan_values(planned: Sweep, recipe: SweepRecipe) -> dict[str, Any]:
    """What `--dry-run --json` prints."""
    rows = [
        {
            **run.names,
            "rows": run.rows,
            "features": run.features,
            "memory_gb": round(run.spec.memory_gb, 2),
            "job": run.spec.id,
            "finished": finished,
        }
        for run, finished in zip(planned.runs, planned.finished(), strict=True)
    ]
    return {"jobs": rows, **_capacity(planned, recipe), "out": str(planned.folder)}


def plan_text(planned: Sweep, recipe: SweepRecipe) -> str:
    """The jobs as a table, then cores and memory."""
    values = plan_values(planned, recipe)
    header = ("model", "horizon", "symbol", "seed", "rows", "features", "memory_gb", "finished")
    rows = [[_symbol(name, job[name]) for name in header] for job in values["jobs"]]
    return f"{table(header, rows)}\n\n{fact_lines({**values, 'jobs': len(rows)})}"


def outcome_values(outcome: SweepOutcome) -> dict[str, Any]:
    """What `--json` prints of a sweep."""
    from ohlcv_factory.storage.formats import read_json
    from ohlcv_factory.studies.sweep import SUMMARY

    return {"study": str(outcome.sweep.folder), **read_json(outcome.sweep.folder / SUMMARY)}


def outcome_text(outcome: SweepOutcome) -> str:
    """The table of runs, the count of jobs, what failed and why, and the next command."""
    header = ("model", "horizon", "symbol", "seed", *SCORES, "seconds", "MB", "attempts", "run")
    rows = [
        [
            *(_symbol(name, row[name]) for name in header[:4]),
            *(row[name] for name in SCORES),
            result.cost.get("seconds"),
            result.cost.get("peak_memory_mb"),
            result.attempts,
            row["run"] or "failed",
        ]
        for row, result in zip(outcome.rows(), outcome.results, strict=True)
    ]
    failed = [f"failed: {_words(run)}: {error['what']}" for run, error in outcome.failures]
    counts = ", ".join(f"{count} {words}" for words, count in _counted(outcome.counts) if count)
    runs = f"compare: ohlcv-factory compare {outcome.sweep.folder}/runs"
    return "\n".join([table(header, rows), "", counts, *failed, runs])


def _counted(counts: dict[str, int]) -> list[tuple[str, int]]:
    """Counts of jobs in words."""
    return [
        ("jobs in all", counts["jobs"]),
        ("finished", counts["finished"]),
        ("finished before", counts["found_finished"]),
        ("failed", counts["failed"]),
        ("begun more than once", counts["repeated"]),
    ]


def _capacity(planned: Sweep, recipe: SweepRecipe) -> dict[str, Any]:
    """Workers, threads and cores; the memory of the largest jobs at once, and what is free. Of this machine."""
    from ohlcv_factory.runtime.memory import available_bytes
    from ohlcv_factory.runtime.threads import available_cores
    from ohlcv_factory.studies.executor.local import workers_at_once

    workers = recipe.workers if recipe.address else workers_at_once(recipe.workers, recipe.threads)
    largest = sorted((run.spec.memory_gb for run in planned.runs), reverse=True)[:workers]
    free = available_bytes()
    return {
        "executor": recipe.executor,
        "workers": workers,
        "threads_per_job": recipe.threads,
        "cores": available_cores(),
        "memory_at_once_gb": round(sum(largest), 2),
        "memory_free_gb": round(free / 1e9, 2) if free else None,
    }


def _words(run: PlannedRun) -> str:
    """`lightgbm, horizon 5, BTCUSDT, seed 42`."""
    names = (run.model, f"horizon {run.horizon}", run.symbol, f"seed {run.seed}")
    return ", ".join(name for name in names if name)


def _symbol(name: str, value: Any) -> Any:
    """All symbols together, in a word."""
    return "all" if name == "symbol" and value is None else value
