"""Raw files to report, step by step: what `run` and `demo` do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from ohlcv_factory.cli.compare import leaderboard_text, leaderboard_values
from ohlcv_factory.cli.data import build_and_write, build_text, read_sources
from ohlcv_factory.cli.recipes import BuildRecipe
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.reports.run_report import write_run_report
from ohlcv_factory.runtime.plugin_files import load_plugins
from ohlcv_factory.storage.atomic import create_folder
from ohlcv_factory.storage.experiments import RUNS_FOLDER
from ohlcv_factory.studies.finished_runs import FinishedRun
from ohlcv_factory.studies.leaderboard import ranked_board
from ohlcv_factory.training.bundle import ModelBundle
from ohlcv_factory.training.settings import TrainerConfig
from ohlcv_factory.training.tracking.settings import ExperimentConfig
from ohlcv_factory.training.tracking.tracker import require_backend
from ohlcv_factory.training.trainer import Trainer


@dataclass(frozen=True)
class Plan:
    """What to do: a dataset recipe, models, a folder, a seed; where the runs are also shown."""

    recipe: BuildRecipe
    models: tuple[str, ...]
    out: Path
    seed: int | None = None
    experiment: ExperimentConfig | None = None


@dataclass(frozen=True)
class Outcome:
    """What came out, for programs and for people."""

    values: dict[str, Any]
    text: str


def run_everything(plan: Plan, *, say: bool) -> Outcome:
    """Build, train, compare, report, and predict the newest bar of every symbol with the best run of each horizon."""
    configs = _configs(plan)
    create_folder(plan.out, must_be_new=True)
    folder = plan.out / "dataset"
    summary = build_and_write(plan.recipe, folder)
    _say(build_text(summary), say)
    runs = [_train(config, folder, say) for config in configs]
    board = ranked_board(runs)
    page = write_run_report(runs, plan.out / "report.html", dataset=folder)
    newest = {group.horizon: _newest(plan, found.runs[0]) for group, found in board.groups.items()}
    text = f"\n{leaderboard_text(board)}\n\n{_newest_text(newest)}\nreport: {page}"
    return Outcome(
        {"dataset": summary, "leaderboard": leaderboard_values(board), "newest": newest, "report": str(page)}, text
    )


def _configs(plan: Plan) -> list[TrainerConfig]:
    """One config per model and horizon; a bad name is refused before any work."""
    load_plugins(plan.recipe.plugins)
    for name in plan.models:
        ModelRegistry.model_class(name)
    require_backend(plan.experiment)
    more: dict[str, Any] = {} if plan.seed is None else {"random_seed": plan.seed}
    more |= {} if plan.experiment is None else {"experiment": plan.experiment}
    return [
        TrainerConfig(model_name=name, horizon=horizon, output_dir=plan.out / RUNS_FOLDER, **more)
        for horizon in plan.recipe.horizons
        for name in plan.models
    ]


def _train(config: TrainerConfig, dataset: Path, say: bool) -> FinishedRun:
    result = Trainer(config).run(TimeSeriesDataContainer.from_dataset(dataset, config.horizon))
    seconds = result.training.training_time_seconds
    _say(f"trained {config.model_name} at horizon {config.horizon} in {seconds:.1f} s: {result.path}", say)
    return FinishedRun.read(result.path)


def _newest(plan: Plan, run: FinishedRun) -> list[dict[str, Any]]:
    """The newest prediction of every source, through the run's own bundle and the raw file."""
    bundle = ModelBundle.from_run(run.path)
    rows = []
    for file in read_sources(plan.recipe):
        row = bundle.predict(file.bars).frame.tail(1).drop("truth", "labelled", "scored").to_dicts()[0]
        rows.append({"model": run.manifest["model"], **row})
    return rows


def _newest_text(newest: dict[int, list[dict[str, Any]]]) -> str:
    return "\n".join(
        f"newest bar of {row['symbol']}, {row['time']:%Y-%m-%d %H:%M} UTC, horizon {horizon}, {row['model']}: "
        f"{row['decision']} (short {row['p_short']:.3f}, neutral {row['p_neutral']:.3f}, long {row['p_long']:.3f})"
        for horizon, rows in newest.items()
        for row in rows
    )


def _say(text: str, say: bool) -> None:
    if say:
        typer.echo(text)
