"""Models that might be chosen for a dataset: whether each can be trained here as is wanted, and what stands in its way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.errors import FactoryError
from ohlcv_factory.features.selection import ROWS_PER_FEATURE, advised_most_features
from ohlcv_factory.models.base import BaseModel
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.runtime.packages import DISTRIBUTION
from ohlcv_factory.studies.dataset_facts import DatasetFacts, Wishes
from ohlcv_factory.training.fitting import input_columns
from ohlcv_factory.training.memory_estimate import estimate_memory_requirements, refuse_too_large
from ohlcv_factory.training.plan import answer_seconds, run_plan
from ohlcv_factory.training.settings import TrainerConfig

Source = Literal["tree", "runs", "fallback"]


@dataclass(frozen=True)
class Candidate:
    """One model, with what was measured of it on this machine and what stands in its way."""

    model: str
    source: Source
    config: TrainerConfig | None = None
    """What it would be trained with; None where it cannot even be made."""
    features: int | None = None
    rows_per_feature: float | None = None
    lookback: int | None = None
    memory_gb: float | None = None
    answer_ms: float | None = None
    """Measured where a latency is wanted."""
    minutes: float | None = None
    """Estimated from short fits where a budget is given; an upper bound for models that stop early."""
    obstacles: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_possible(self) -> bool:
        """Whether nothing stands in its way."""
        return not self.obstacles

    def plain(self) -> dict[str, Any]:
        """JSON-ready: what was measured, in the order of the table."""
        numbers = ("features", "rows_per_feature", "lookback", "memory_gb", "answer_ms", "minutes")
        return {
            "model": self.model,
            "source": self.source,
            "family": ModelRegistry.entry(self.model).family,
            **{name: getattr(self, name) for name in numbers},
            "possible": self.is_possible,
            "obstacles": list(self.obstacles),
            "notes": list(self.notes),
        }


@dataclass
class Probe:
    """A candidate in the making: each step measures one thing, and notes what stands in the way."""

    config: TrainerConfig
    container: TimeSeriesDataContainer
    facts: DatasetFacts
    wishes: Wishes
    found: dict[str, Any] = field(default_factory=dict)
    obstacles: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def carried_out(self, source: Source) -> Candidate:
        """All steps, up to the first that the next ones could not go on from."""
        entry = ModelRegistry.entry(self.config.model_name)
        if not entry.installed:
            self.obstacles.append(f"needs the extra {entry.extra}: pip install '{DISTRIBUTION}[{entry.extra}]'")
            return Candidate(self.config.model_name, source, obstacles=tuple(self.obstacles))
        made = self._try(self._make)
        if made:
            self._try(self._measure_memory)
            for wanted, step in ((self.wishes.latency_ms, self._time_answer), (self.wishes.minutes, self._time_fit)):
                if wanted is not None and not self.obstacles:
                    self._try(step)
        config = self.config if made else None
        found = {**self.found, "obstacles": tuple(self.obstacles), "notes": tuple(self.notes)}
        return Candidate(self.config.model_name, source, config, **found)

    def _try(self, step: Callable[[], None]) -> bool:
        """Whether a step went through; what it raises on purpose is an obstacle."""
        try:
            step()
        except FactoryError as error:
            self.obstacles.append(f"{error.what} {error.help}".strip())
            return False
        return True

    def _make(self) -> None:
        """The model as wanted: its checkpoint found, its window no longer than the bars, its columns few enough."""
        self._set(checkpoint=self.wishes.checkpoint)
        self._fit_lookback()
        model = self._model()
        model.check_ready()
        columns = input_columns(self.config, model, self.container)
        if len(columns) * ROWS_PER_FEATURE > self.facts.fit_rows:
            columns = self._fewer_columns(model, columns)
        self.found |= {"features": len(columns), "rows_per_feature": self.facts.fit_rows / len(columns)}
        if model.requires_sequences:
            self.found["lookback"] = model.lookback

    def _set(self, **given: Any) -> None:
        """Hyper-parameters that are wanted and that the model has."""
        fields = ModelRegistry.model_class(self.config.model_name).Config.model_fields
        own = {name: value for name, value in given.items() if value is not None and name in fields}
        if own:
            self.config = self.config.model_copy(update={"model": {**self.config.model, **own}})

    def _fit_lookback(self) -> None:
        """The window that is wanted, as far as the dataset has bars before each row; padded windows reach further."""
        model = self._model()
        if not model.requires_sequences:
            return
        wanted, available = self.wishes.context_bars or model.lookback, self.facts.lookback_available
        if wanted > available and not model.input_spec.padded:
            self.notes.append(
                f"reads {available} bars, all that the dataset has before each row; for {wanted} build it with "
                f"--set history_bars={wanted - 1}"
            )
            wanted = available
        if wanted != model.lookback:
            self._set(lookback=wanted)

    def _fewer_columns(self, model: BaseModel, columns: tuple[str, ...]) -> tuple[str, ...]:
        """The largest built-in set that leaves ten fit rows for a column. The model's own where there is none."""
        rows, own = self.facts.fit_rows, self.config.feature_set or model.input_spec.feature_set
        words = f"{rows} fit rows for {len(columns)} columns of {own}: under {ROWS_PER_FEATURE} rows per column"
        small = [each for each in self.facts.sets if each.columns * ROWS_PER_FEATURE <= rows]
        if model.input_spec.padded or not small:
            self.notes.append(f"{words}; at most {advised_most_features(rows)} are advised")
            return columns
        chosen = max(small, key=lambda each: each.columns).name
        self.notes.append(f"{words}; it gets {chosen}")
        self.config = self.config.model_copy(update={"feature_set": chosen})
        return input_columns(self.config, model, self.container)

    def _measure_memory(self) -> None:
        model = self._model()
        model.check_ready()
        size = (len(self.container), self.found["features"])
        self.found["memory_gb"] = estimate_memory_requirements(model.family, *size, model)["cpu_memory_gb"]
        refuse_too_large(model, *size)

    def _time_answer(self) -> None:
        took, wanted = 1000 * answer_seconds(self.config, self.container), self.wishes.latency_ms
        self.found["answer_ms"] = took
        if wanted is not None and took > wanted:
            self.obstacles.append(f"answers in {took:.1f} ms here, {wanted:g} ms are wanted")

    def _time_fit(self) -> None:
        took = run_plan(self.config, self.container)["seconds_at_most"] / 60
        budget = self.wishes.minutes
        self.found["minutes"] = took
        if budget is not None and took > budget:
            self.obstacles.append(f"trains for at most {took:.1f} minutes here, {budget:g} are given")

    def _model(self) -> BaseModel:
        return self.config.create_model()


def candidates(
    names: Iterable[str],
    source: Source,
    container: TimeSeriesDataContainer,
    facts: DatasetFacts,
    wishes: Wishes,
    seed: int,
) -> list[Candidate]:
    """Models of the registry with their own settings, each as `Probe` finds it."""
    return [
        probed(
            TrainerConfig(model_name=name, horizon=container.horizon, random_seed=seed),
            source,
            container,
            facts,
            wishes,
        )
        for name in names
    ]


def probed(
    config: TrainerConfig, source: Source, container: TimeSeriesDataContainer, facts: DatasetFacts, wishes: Wishes
) -> Candidate:
    """One model with given settings, as a candidate."""
    return Probe(config, container, facts, wishes).carried_out(source)
