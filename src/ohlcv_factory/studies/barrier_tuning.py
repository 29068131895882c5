"""Barrier tuning: the distances of the triple barrier by which a named model earned most, per symbol and horizon.

Other barriers are other labels, so no score on labels can compare them: each trial labels the bars anew, predicts them out
of fold by a model of the other blocks, trades these predictions under the same barriers and is scored by what is left after
costs. The bars end where the val part begins, so nothing after that is seen, neither by a label nor by a trade.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ohlcv_factory.bars.instruments import OWN_CALENDARS, BarrierRule
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.store import read_dataset
from ohlcv_factory.errors import UsageError, unknown_name
from ohlcv_factory.labels.classes import CLASS_COUNT
from ohlcv_factory.runtime.clock import Clock, system_clock
from ohlcv_factory.runtime.progress import meter
from ohlcv_factory.runtime.seeding import component_seed
from ohlcv_factory.splits.splitter import Splitter
from ohlcv_factory.storage import atomic
from ohlcv_factory.storage.experiments import BARRIER_RECIPE
from ohlcv_factory.storage.formats import write_json, write_settings
from ohlcv_factory.studies.search_study import (
    DATABASE_NAME,
    DECIDES_NOTHING,
    TRIALS_TABLE,
    WritePage,
    begun_attempts,
    begun_study,
    enter_search_trial,
    name_in_database,
    refuse_fewer_trials,
    refuse_kept,
    require_best,
    search_facts,
    shown_settings,
    trial_words,
    trials_frame,
)
from ohlcv_factory.studies.settings import CrossValidationConfig
from ohlcv_factory.studies.study_folder import BARRIERS, at_work, new_study_folder, write_study_manifest
from ohlcv_factory.studies.train_bars import TrainBars
from ohlcv_factory.studies.tuning import fold_tries
from ohlcv_factory.studies.tuning_settings import (
    BARRIER_FOLDS,
    BARRIER_MODEL,
    BARRIER_TRIALS,
    BarrierTuningConfig,
    Range,
)
from ohlcv_factory.studies.tuning_space import Dimension, Values, refuse_values
from ohlcv_factory.studies.tuning_storage import opened_storage, require_storage, storage_url
from ohlcv_factory.studies.tuning_trials import (
    OPTUNA,
    Goal,
    Trial,
    Tries,
    ended_trials,
    search,
)
from ohlcv_factory.training import artifacts
from ohlcv_factory.training.bundle import MANIFEST
from ohlcv_factory.training.fitting import input_columns
from ohlcv_factory.training.resumption import refuse_other_start, unfinished_attempt
from ohlcv_factory.training.settings import TrainerConfig
from ohlcv_factory.training.tracking.tracker import require_backend

PIECE, INSTRUMENTS = "barriers.yaml", "instruments.yaml"
METRICS = Path("metrics") / "barriers.json"
DISTANCES = ("k_up", "k_down", "max_bars")
LONGEST_HORIZONS = 5
"""The vertical barrier is searched up to so many times the horizon."""
MIN_CLASS_SHARE = 0.1
"""Of the scored train rows; a class under it is penalised."""


@dataclass(frozen=True)
class BarrierTuningResult:
    """A finished search for barriers."""

    study_id: str
    path: Path
    metrics: dict[str, Any]
    """`metrics/barriers.json`: per symbol and horizon what was found and what it means."""

    @property
    def found(self) -> dict[tuple[str, int], dict[str, Any]]:
        """The barriers that were found, by symbol and horizon."""
        return {
            (entry["symbol"], entry["horizon"]): {name: entry["found"][name] for name in DISTANCES}
            for entry in self.metrics["searches"]
        }


def tune_barriers(
    dataset: Path | str,
    tuning: BarrierTuningConfig | None = None,
    cv: CrossValidationConfig | Splitter | None = None,
    *,
    config: TrainerConfig | None = None,
    folder: Path | None = None,
    write_page: WritePage | None = None,
    clock: Clock = system_clock,
) -> BarrierTuningResult:
    """Search barriers for each symbol and horizon of a dataset folder, by what a model's predictions earn out of fold.

    `config` names the model (default: logistic) and everything of its fit; its horizon does not count. `folder` names the
    study folder; one that was begun with the same settings is continued. Raises UsageError (2), DataError (65).
    """
    trainer = config or TrainerConfig(model_name=BARRIER_MODEL)
    return BarrierTuning(trainer, Path(dataset), tuning, cv, write_page=write_page, clock=clock).run(folder)


class BarrierTuning:
    """A search for barriers, which can be cut off and resumed."""

    def __init__(
        self,
        config: TrainerConfig,
        dataset: Path,
        tuning: BarrierTuningConfig | None = None,
        cv: CrossValidationConfig | Splitter | None = None,
        *,
        write_page: WritePage | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self.tuning, self.write_page, self.clock = tuning or BarrierTuningConfig(), write_page, clock
        self.place, self.dataset = dataset, read_dataset(dataset)
        self.horizons, self.symbols = self._horizons(), self._symbols()
        self.config = config.model_copy(update={"horizon": self.horizons[0]})
        self.model = self.config.create_model()
        given = CrossValidationConfig.of(cv) if isinstance(cv, Splitter) else cv or CrossValidationConfig()
        self.cv = _folds(given)
        self.goal = Goal(self.tuning.score, self.tuning.spread_penalty, self.tuning.pruner, penalised=True)
        self.trials = self.tuning.trials or BARRIER_TRIALS
        self.folder: Path | None = None
        """The study folder, once there is one."""

    @cached_property
    def container(self) -> TimeSeriesDataContainer:
        """The dataset as it is, of the first horizon: whose fingerprint and symbols the study notes."""
        built = TimeSeriesDataContainer.from_built(self.dataset, self.horizons[0])
        return replace(built, origin=str(self.place))

    def searches(self) -> list[TrainBars]:
        """One per symbol and horizon, each checked as far as that can be without a fit.

        Raises UsageError (2) where labels have no barriers, or the model cannot read the dataset.
        """
        input_columns(self.config, self.model, self.container)
        found = [TrainBars.of(self.dataset, symbol, horizon) for symbol in self.symbols for horizon in self.horizons]
        for each in found:
            self.space(each)
        return found

    def space(self, train: TrainBars) -> tuple[Dimension, ...]:
        """The three distances of one search; the default is the dataset's own rule.

        Raises UsageError (2) for a range that a barrier cannot have.
        """
        longest = self.tuning.max_bars or Range(low=train.horizon, high=LONGEST_HORIZONS * train.horizon)
        ranges = {"k_up": self.tuning.k_up, "k_down": self.tuning.k_down, "max_bars": longest}
        for name, given in ranges.items():
            refuse_values(BarrierRule.model_fields[name], f"tune.{name}", given)
        return tuple(
            Dimension(name, ranges[name], whole=name == "max_bars", default=getattr(train.rule, name))
            for name in DISTANCES
        )

    def run(self, folder: Path | None = None) -> BarrierTuningResult:
        """All searches in a new study folder, or in the one that is named, where what is there is continued."""
        self.searches()
        require_backend(self.config.experiment)
        require_storage(self.tuning.storage)
        if folder is None:
            return self._attempt(new_study_folder(BARRIERS, self.config, self.clock), 1)
        attempt = 1 + begun_attempts(folder, BARRIER_RECIPE)
        self._refuse_other_start(folder)
        return self._attempt(folder, attempt)

    def resume(self, folder: Path) -> BarrierTuningResult:
        """Complete a study that was cut off. Raises UsageError (2) for a finished one, or other settings or data."""
        attempt = 1 + unfinished_attempt(folder)
        self._refuse_other_start(folder)
        return self._attempt(folder, attempt)

    def _refuse_other_start(self, folder: Path) -> None:
        """Before anything of a study that was begun is touched."""
        if (folder / artifacts.START).is_file():
            refuse_other_start(folder, self._settings(), self.container)
            refuse_fewer_trials(folder / BARRIER_RECIPE, self.trials)

    def _attempt(self, folder: Path, attempt: int) -> BarrierTuningResult:
        self.folder = folder
        with at_work(folder, self.clock, attempt, self.config.tracking) as log:
            log.write(f"barriers by {self.config.model_name}, {self.goal}, attempt {attempt}")
            self._write_recipe(folder)
            with opened_storage(storage_url(self.tuning.storage, folder)) as storage:
                name = name_in_database(folder)
                searches = [(train, self._study(storage, name, train)) for train in self.searches()]
                artifacts.write_start(folder, self._settings(), self.container, **{DATABASE_NAME: name})
                outcomes = [self._search(study, train, log) for train, study in searches]
            result = self._complete(folder, outcomes)
            log.write("finished")
            more = {"score": self.goal.score, "horizons": list(self.horizons), OPTUNA: outcomes[0].facts[OPTUNA]}
            write_study_manifest(folder, BARRIERS, self.config, self.model, self.container, self.clock, more)
        return result

    def _study(self, storage: Any, name: str, train: TrainBars) -> Any:
        own = f"{name}/{train.symbol.bars.symbol}_h{train.horizon}"
        return begun_study(storage, own, self._folder, self.goal, self.space(train))

    def _search(self, study: Any, train: TrainBars, log: artifacts.RunLog) -> Outcome:
        folder, symbol, space = self._folder, train.symbol.bars.symbol, self.space(train)
        done = len(ended_trials(study, space))
        seed = component_seed(self.config.random_seed, "barriers", symbol, train.horizon)
        with meter(max(0, self.trials - done), f"{symbol}, horizon {train.horizon}") as bar, log.listening():
            for trial in search(study, space, self.goal, self.trials, seed, partial(self._tries, train)):
                log.write(f"{symbol}, horizon {train.horizon}: {trial_words(trial)}")
                bar.update()
        trials = ended_trials(study, space)
        best = require_best(trials, self.goal, folder, f"{symbol}, horizon {train.horizon}: ")
        return Outcome(train, space, trials, best, search_facts(study, trials, best, space, self.goal))

    def _tries(self, train: TrainBars, number: int, values: Values) -> Tries:
        """The folds of one trial and what its barriers cost beside them; it is entered into the ledger first."""
        config = self.config.model_copy(update={"horizon": train.horizon, "allow_missing_class": True})
        drawn = {**artifacts.repeatable_config(self.config, self.model), "barriers": values}
        name = f"{self._folder.name}/{train.symbol.bars.symbol}_h{train.horizon}/trial_{number:03d}"
        container = train.container(BarrierRule(**values))
        asked = self.container.fingerprint
        enter_search_trial(config, name, drawn, container, self.clock, data_digest=asked)
        return Tries(fold_tries(config, container, self.cv), penalties(container, values, self.tuning))

    @property
    def _folder(self) -> Path:
        assert self.folder is not None
        return self.folder

    def _settings(self) -> dict[str, Any]:
        """All that decides a trial, by the names of the recipe."""
        trainer = artifacts.repeatable_config(self.config, self.model)
        shown = shown_settings(self.tuning)
        del shown["trials"]  # more of them change none of the earlier ones
        return {
            **{name: value for name, value in trainer.items() if name not in (*DECIDES_NOTHING, "horizon")},
            "tune": {**shown, "horizons": list(self.horizons), "symbols": list(self.symbols)},
            "cv": self.cv.plain(),
        }

    def _write_recipe(self, folder: Path) -> None:
        """The recipe that repeats the study. A manifest of fewer trials is void from now on."""
        (folder / MANIFEST).unlink(missing_ok=True)
        recipe = {
            **{name: value for name, value in self.config.plain().items() if name != "horizon"},
            "dataset": str(self.place),
            "plugins": artifacts.plugin_files(self.model, self.container),
            "threads": self.model.threads,
            "tune": {**shown_settings(self.tuning), "trials": self.trials},
            "cv": self.cv.plain(),
        }
        write_settings(folder / BARRIER_RECIPE, recipe)

    def _complete(self, folder: Path, outcomes: Sequence[Outcome]) -> BarrierTuningResult:
        """The piece of YAML, the table, the numbers and the page."""
        self._write_piece(folder, outcomes)
        atomic.write_with(folder / TRIALS_TABLE, _together(outcomes).write_csv)
        metrics = {
            "model_name": self.config.model_name,
            "scheme": self.cv.scheme,
            "folds": self.cv.folds,
            "goal": str(self.goal),
            "score": self.goal.score,
            "searches": [each.plain() for each in outcomes],
        }
        write_json(folder / METRICS, metrics)
        if self.write_page is not None:
            self.write_page(folder)
        return BarrierTuningResult(folder.name, folder, metrics)

    def _write_piece(self, folder: Path, outcomes: Sequence[Outcome]) -> None:
        """What `data build --config` takes: barriers of a dataset of one symbol, or a table of instruments for several.

        What was not searched stays as the dataset has it.
        """
        found = {(each.symbol, each.train.horizon): each.rule.plain() for each in outcomes}
        config = self.dataset.config
        piece: dict[str, Any] = {"horizons": list(config.horizons)}
        if len(self.dataset.symbols) == 1:
            (one,) = self.dataset.symbols
            own = {horizon: config.rule(one.instrument, horizon).plain() for horizon in config.barriers}
            piece["barriers"] = own | {horizon: rule for (_, horizon), rule in found.items()}
        else:
            write_settings(folder / INSTRUMENTS, self._instrument_table(found))
            piece["instruments"] = str((folder / INSTRUMENTS).resolve())
        write_settings(folder / PIECE, piece)

    def _instrument_table(self, found: Mapping[tuple[str, int], dict[str, Any]]) -> dict[str, Any]:
        """The rows of all symbols of the dataset, whole, with the barriers that were found in them."""
        table: dict[str, Any] = {}
        calendars = {}
        for each in self.dataset.symbols:
            instrument, config = each.instrument, self.dataset.config
            row = {name: value for name, value in instrument.plain().items() if name not in ("symbol", "hours")}
            own = {horizon: config.rule(instrument, horizon).plain() for horizon in config.horizons}
            own |= {horizon: rule for (symbol, horizon), rule in found.items() if symbol == instrument.symbol}
            table[instrument.symbol] = {**row, "barriers": own}
            if instrument.hours is not None:
                calendars[instrument.calendar] = instrument.hours.plain()
        return {**({OWN_CALENDARS: calendars} if calendars else {}), **table}

    def _horizons(self) -> tuple[int, ...]:
        offered = self.dataset.config.horizons
        for horizon in self.tuning.horizons:
            if horizon not in offered:
                raise UsageError(
                    f"horizon {horizon} is not in this dataset.",
                    where="tune.horizons",
                    help=f"it holds: {', '.join(map(str, offered))}",
                )
        return self.tuning.horizons or offered

    def _symbols(self) -> tuple[str, ...]:
        offered = tuple(each.bars.symbol for each in self.dataset.symbols)
        for symbol in self.tuning.symbols:
            if symbol not in offered:
                raise unknown_name("symbol", symbol, offered, where="tune.symbols")
        return self.tuning.symbols or offered


@dataclass(frozen=True)
class Outcome:
    """What came of the search of one symbol and horizon."""

    train: TrainBars
    space: tuple[Dimension, ...]
    trials: list[Trial]
    best: Trial
    facts: dict[str, Any]

    @property
    def symbol(self) -> str:
        """The symbol."""
        return self.train.symbol.bars.symbol

    @property
    def rule(self) -> BarrierRule:
        """The barriers that were found."""
        return BarrierRule(**self.best.values)

    def plain(self) -> dict[str, Any]:
        """JSON-ready: the search, and what the optimum and the dataset's own rule make of the rows."""
        return {
            "symbol": self.symbol,
            "horizon": self.train.horizon,
            "found": self.train.facts(self.rule),
            "before": self.train.facts(self.train.rule),
            **self.facts,
        }


def penalties(container: TimeSeriesDataContainer, values: Values, tuning: BarrierTuningConfig) -> dict[str, float]:
    """What barriers cost beside what was earned on them, in units of the score.

    `rare_class`: how far each class lies under 10 % of the scored train rows, as a share of that, added up. `asymmetry`:
    the distance of k_up and k_down; of an equity index, which drifts up, it is free.
    """
    rows = container.rows("train", scored=True)
    shares = np.bincount(container.labels.label[rows], minlength=CLASS_COUNT) / max(1, len(rows))
    missing = float(np.maximum(0.0, MIN_CLASS_SHARE - shares).sum()) / MIN_CLASS_SHARE
    (market,) = container.markets
    apart = 0.0 if market.instrument.equity_index else abs(values["k_up"] - values["k_down"])
    return {"rare_class": tuning.class_penalty * missing, "asymmetry": tuning.asymmetry_penalty * apart}


def _together(outcomes: Sequence[Outcome]) -> pl.DataFrame:
    frames = [
        trials_frame(each.trials, each.space, {"symbol": each.symbol, "horizon": each.train.horizon})
        for each in outcomes
    ]
    return pl.concat(frames, how="diagonal_relaxed")


def _folds(cv: CrossValidationConfig) -> CrossValidationConfig:
    refuse_kept(cv)
    if cv.folds is not None or cv.scheme == "combinatorial":
        return cv
    return cv.model_copy(update={"folds": BARRIER_FOLDS})
