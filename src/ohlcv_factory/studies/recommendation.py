"""Which model to begin with on a dataset: the specification's tree for what is measured and wanted, and above it finished runs.

The tree is an opinion (`selection_guide`). Runs of the factory on the very same rows are a measurement, so where at least two
models were compared there, the best of them, or what cannot be told from it, goes before the tree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ohlcv_factory.config import write_yaml
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.errors import UsageError
from ohlcv_factory.features.plugins import PluginRecord, require
from ohlcv_factory.models.device_report import DeviceReport, device_report
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.runtime.seeding import refuse_negative
from ohlcv_factory.storage.formats import jsonable, read_settings
from ohlcv_factory.studies.candidates import Candidate, candidates, probed
from ohlcv_factory.studies.comparison import ComparedGroup
from ohlcv_factory.studies.dataset_facts import DatasetFacts, Wishes, dataset_facts, tree_facts
from ohlcv_factory.studies.finished_runs import FinishedRun, find_runs
from ohlcv_factory.studies.leaderboard import ranked_board
from ohlcv_factory.studies.selection_guide import SelectionGuide, Way, selection_guide
from ohlcv_factory.training import artifacts
from ohlcv_factory.training.settings import TrainerConfig

OPINION = "The tree and the matrix are the specification's opinion, which names no source."
FAST = "fast"
"""The question whose claim can be measured."""


@dataclass(frozen=True)
class Recommendation:
    """A model to begin with, why, and the recipe that trains it."""

    facts: DatasetFacts
    machine: DeviceReport
    way: Way
    candidates: tuple[Candidate, ...]
    """In the order in which they were considered: those of the tree, of the runs, and what is left without any."""
    compared: ComparedGroup | None
    """Finished runs on the same rows, best first; None where there are none."""
    chosen: Candidate
    reason: str
    warnings: tuple[str, ...]
    recipe: dict[str, Any]
    """What `train --config` takes."""

    @property
    def recipe_text(self) -> str:
        """The recipe as YAML."""
        return write_yaml(self.recipe)

    def plain(self) -> dict[str, Any]:
        """JSON-ready."""
        guide = selection_guide()
        told = {
            "model": self.chosen.model,
            "reason": self.reason,
            "warnings": list(self.warnings),
            "facts": self.facts.plain(),
            "machine": self.machine.plain(),
            "branches": [each.plain() for each in self.way.branches],
            "answer": {"name": self.way.end, **self.way.advice.plain()},
            "candidates": [{**each.plain(), "matrix": guide.row(each.model)} for each in self.candidates],
            "runs": None if self.compared is None else self.compared.facts(),
            "recipe": self.recipe,
        }
        found: dict[str, Any] = jsonable(told)
        return found

    def __str__(self) -> str:
        return f"{self.chosen.model}: {self.reason}"


def recommend(
    container: TimeSeriesDataContainer,
    wishes: Wishes | None = None,
    *,
    runs: Sequence[Path | str] = (),
    by: str | None = None,
    seed: int = 42,
) -> Recommendation:
    """Walk the specification's tree for a dataset folder's container, and let finished `runs` on its rows overrule it.

    `runs` are run folders or folders of them, compared by the score `by` (none: sharpe_ratio). What a wish needs is
    measured on this machine: an answer's time where a latency is wanted, a fit's where a budget is given. Raises
    InputMissingError (66) where `runs` hold no finished run, UsageError (2) for an unknown score, a score without runs, a
    negative seed, or where the plugin of a column is not loaded.
    """
    refuse_negative(seed)
    if by is not None and not runs:
        raise UsageError(
            f"by: no runs are given that {by} could compare.", where="by", help="name an experiments folder: --runs DIR"
        )
    require(PluginRecord.from_plain(record) for record in container.data_spec["plugins"])
    wishes, guide = wishes or Wishes(), selection_guide()
    facts = dataset_facts(container, wishes.correlation)
    way = guide.way(tree_facts(facts, wishes))
    compared = runs_on_these_rows(container, runs, by or "sharpe_ratio")
    from_tree = candidates(way.advice.models, "tree", container, facts, wishes, seed)
    from_runs = [_of_run(run, container, facts, wishes) for run in compared.runs] if compared else []
    chosen, reason = _chosen(from_tree, from_runs, compared)
    left: list[Candidate] = []
    if chosen is None:
        left = candidates([guide.fallback], "fallback", container, facts, wishes, seed)
        chosen, reason = left[0], f"none of {', '.join(way.advice.models)} can be had here; {guide.fallback} always can"
    return Recommendation(
        facts=facts,
        machine=device_report(),
        way=way,
        candidates=(*from_tree, *_each_model(from_runs), *left),
        compared=compared,
        chosen=chosen,
        reason=reason,
        warnings=tuple(
            _warnings(guide, way, chosen, compared, _fast_enough(guide, way, container, facts, wishes, seed))
        ),
        recipe=_recipe(chosen, container, compared),
    )


def runs_on_these_rows(
    container: TimeSeriesDataContainer, places: Sequence[Path | str], by: str
) -> ComparedGroup | None:
    """Finished runs of this data and horizon, compared; None without any. An experiments folder stands for its runs."""
    found = [run for run in find_runs([Path(place) for place in places]) if _is_of(run, container)] if places else []
    if not found:
        return None
    (group,) = ranked_board(found, by).groups.values()
    return group


def _is_of(run: FinishedRun, container: TimeSeriesDataContainer) -> bool:
    facts = run.manifest
    same_data = facts["data_fingerprint"] == container.fingerprint and facts["horizon"] == container.horizon
    return same_data and tuple(facts["symbols"]) == container.symbols


def _of_run(run: FinishedRun, container: TimeSeriesDataContainer, facts: DatasetFacts, wishes: Wishes) -> Candidate:
    """The model of a run with the run's own settings; of an ensemble only what the run says."""
    name = run.manifest["model"]
    if ModelRegistry.entry(name).family == "ensemble":
        return Candidate(name, "runs", notes=("an ensemble: neither its memory nor its time is measured here",))
    values = read_settings(run.recipe)
    own = {key: value for key, value in values.items() if key in TrainerConfig.model_fields}
    return probed(TrainerConfig.parse(own, where=str(run.recipe)), "runs", container, facts, wishes)


def _chosen(
    from_tree: Sequence[Candidate], from_runs: Sequence[Candidate], compared: ComparedGroup | None
) -> tuple[Candidate | None, str]:
    """A run's model where models were compared, else the first of the tree's that is possible; and why."""
    possible = [each for each in from_tree if each.is_possible]
    if compared is not None and len({each.model for each in from_runs}) > 1:
        measured = [each for each in from_runs if each.is_possible]
        leading = [each for each in _leading(from_runs, compared) if each.is_possible]
        agreed = [each for each in leading if each.model in {one.model for one in possible}]
        if agreed:
            return agreed[0], "the tree names it, and no finished run on these rows is better beyond chance"
        if measured:
            best = (leading or measured)[0]
            return (
                best,
                f"best by {compared.by} of {len(compared.runs)} finished runs on these rows, which outrank the tree",
            )
    return (possible[0], "the first of the tree's models that can be had here") if possible else (None, "")


def _leading(from_runs: Sequence[Candidate], compared: ComparedGroup) -> list[Candidate]:
    """The best run and those that cannot be told from it."""
    standings = compared.standings or (None,) * len(from_runs)
    return [
        each
        for place, (each, standing) in enumerate(zip(from_runs, standings, strict=True))
        if place == 0 or (standing is not None and not standing.differs)
    ]


def _each_model(found: Sequence[Candidate]) -> list[Candidate]:
    """The first of each model."""
    return list({each.model: each for each in reversed(found)}.values())[::-1]


def _fast_enough(
    guide: SelectionGuide, way: Way, container: TimeSeriesDataContainer, facts: DatasetFacts, wishes: Wishes, seed: int
) -> list[Candidate]:
    """Models that the tree held to be too slow and that answer in time here; measured only where it turned on that."""
    turned = any(each.question == FAST and each.answer for each in way.branches)
    if not turned:
        return []
    others = [name for name in guide.beyond(guide.questions[FAST].no) if name not in way.advice.models]
    asked = wishes.model_copy(update={"minutes": None})
    return [each for each in candidates(others, "tree", container, facts, asked, seed) if each.is_possible]


def _warnings(
    guide: SelectionGuide, way: Way, chosen: Candidate, compared: ComparedGroup | None, fast: Sequence[Candidate]
) -> list[str]:
    """What a reader must know before relying on the choice."""
    claims = "; ".join(each.claim for each in way.branches)
    said = [f"{OPINION} This way through it rests on: {claims}."]
    if fast:
        times = ", ".join(f"{each.model} {each.answer_ms:.1f} ms" for each in fast)
        said.append(f"Measured against that: these answer in time on this machine too: {times}.")
    if compared is None:
        said.append("No finished run on these rows was looked at (--runs); two compared models would outrank the tree.")
    elif chosen.source == "tree":
        said.append("The finished runs on these rows are of one model: they compare nothing.")
    if compared is not None and all(run.evaluation["verdict"]["code"] != "edge" for run in compared.runs):
        said.append("No finished run on these rows shows an edge: another model may find nothing either.")
    if chosen.model not in guide.matrix:
        said.append(f"The matrix says nothing of {chosen.model}.")
    return [*said, *chosen.notes, *chosen.obstacles]


def _recipe(chosen: Candidate, container: TimeSeriesDataContainer, compared: ComparedGroup | None) -> dict[str, Any]:
    """The run's own recipe where a run was chosen, else the settings that the candidate was found possible with."""
    if chosen.source == "runs" and compared is not None:
        run = next(run for run in compared.runs if run.manifest["model"] == chosen.model)
        return _without_nothing({**read_settings(run.recipe), "dataset": container.origin})
    config = chosen.config or TrainerConfig(model_name=chosen.model, horizon=container.horizon)
    recipe = {
        "model_name": config.model_name,
        "dataset": container.origin,
        "symbol": container.symbol,
        "horizon": config.horizon,
        "feature_set": config.feature_set,
        "random_seed": config.random_seed,
        "plugins": artifacts.plugin_files(config.create_model(), container),
    }
    return {**_without_nothing(recipe), "model": config.model}


def _without_nothing(values: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe names only what differs."""
    return {name: value for name, value in values.items() if value not in (None, {}, [], ())}
