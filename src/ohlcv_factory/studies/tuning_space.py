"""What a search draws: fields of a model by the ranges that stand on them, and by request feature set and scaling."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, get_args

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from ohlcv_factory.config import Search
from ohlcv_factory.errors import UsageError, unknown_name
from ohlcv_factory.models.base import BaseModel
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.storage.formats import jsonable
from ohlcv_factory.studies.fold_scores import MONEY_SCORES
from ohlcv_factory.studies.tuning_settings import Range, TuningConfig
from ohlcv_factory.training.settings import TrainerConfig, effective_hyper_parameters

SCALING = Range(choices=("none", "standard", "robust"))
BESIDE_THE_MODEL: Mapping[str, Range | None] = {"feature_set": None, "scaling": SCALING}
"""Settings of a run that can be drawn too, where they are asked for, and the range that they have by themselves."""
OF_LABELS = ("k_up", "k_down", "max_bars", "barriers", "theta", "horizon", "label")
SPACE = "tune.space"

Values = dict[str, Any]
"""What was drawn, by field."""


class Draws(Protocol):
    """What a trial of Optuna does for us."""

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int: ...

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float: ...

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any: ...


@dataclass(frozen=True)
class Dimension:
    """One value that is drawn."""

    name: str
    range: Range
    whole: bool = False
    """Whether it is a whole number."""
    default: Any = None
    """What it is without a search."""

    def draw(self, trial: Draws) -> Any:
        """A value of the range, as the field takes it."""
        if self.range.choices is not None:
            return self._choice(trial.suggest_categorical(self.name, self._labels))
        low, high, log = self.range.low, self.range.high, self.range.log
        assert low is not None and high is not None
        if self.whole:
            return trial.suggest_int(self.name, int(low), int(high), log=log)
        return trial.suggest_float(self.name, float(low), float(high), log=log)

    def told(self, parameter: Any) -> Any:
        """The value that a stored parameter stands for."""
        return parameter if self.range.choices is None else self._choice(parameter)

    def stored(self, value: Any) -> Any:
        """The parameter that stands for a value."""
        return value if self.range.choices is None else choice_label(value)

    @property
    def holds_default(self) -> bool:
        """Whether the default could be drawn."""
        if self.range.choices is not None:
            return choice_label(self.default) in self._labels
        low, high = self.range.low, self.range.high
        assert low is not None and high is not None
        return isinstance(self.default, int | float) and low <= self.default <= high

    def plain(self) -> dict[str, Any]:
        """JSON-ready: the name, the range and the default."""
        return {"name": self.name, **self.range.plain(), "default": jsonable(self.default)}

    @property
    def _labels(self) -> list[Any]:
        return [choice_label(choice) for choice in self.range.choices or ()]

    def _choice(self, label: Any) -> Any:
        return (self.range.choices or ())[self._labels.index(label)]


def choice_label(value: Any) -> Any:
    """What Optuna keeps of a choice: plain values as they are, lists as JSON."""
    return json.dumps(jsonable(value)) if isinstance(value, list | tuple | dict) else value


def space_of(config: TrainerConfig, tuning: TuningConfig) -> tuple[Dimension, ...]:
    """The dimensions of a search, in the order of the model's fields.

    A value that the recipe gives itself is not drawn. Raises UnknownNameError (2) for a name that is no field, UsageError (2)
    for a range that a field does not allow, for a field that is given and drawn, and where nothing is left to draw.
    """
    model = config.create_model()
    fields = type(model.config).model_fields
    _refuse_unknown_names((*tuning.space, *tuning.only), config.model_name, fields)
    given = _given(config)
    for name in (*tuning.space, *tuning.only):
        if name in given:
            raise UsageError(
                f"{name} is given and to be drawn.", where=SPACE, help=f"take it out of model:, or out of {SPACE}"
            )
    names = tuning.only or _offered(fields, tuning, given)
    wanted = [name for name in (*fields, *BESIDE_THE_MODEL) if name in names]
    if not wanted:
        raise UsageError(
            f"model {config.model_name!r} has nothing to draw.", where=SPACE, help=f"give ranges: {SPACE}.FIELD"
        )
    return tuple(_dimension(name, config, model, tuning) for name in wanted)


def config_with(config: TrainerConfig, values: Mapping[str, Any]) -> TrainerConfig:
    """The settings of a run with what was drawn. Raises UsageError (2) for values that contradict."""
    beside = {name: value for name, value in values.items() if name in BESIDE_THE_MODEL}
    drawn = {name: value for name, value in values.items() if name not in BESIDE_THE_MODEL}
    changed = TrainerConfig.parse({**config.plain(), **beside, "model": {**config.model, **drawn}}, where="trial")
    changed.create_model()
    return changed


def default_values(space: Iterable[Dimension]) -> Values:
    """What the first trial tries: the defaults, as far as they could be drawn."""
    return {each.name: each.stored(each.default) for each in space if each.holds_default}


def range_of(text: str) -> Any:
    """The range that `LOW:HIGH`, `LOW:HIGH:log` or `A,B,C` stands for, as a recipe would give it."""
    from ohlcv_factory.config import scalar

    if ":" not in text:
        return [scalar(part.strip()) for part in text.split(",")]
    low, high, *rest = text.split(":")
    if rest not in ([], ["log"]):
        raise UsageError(f"a range is LOW:HIGH, LOW:HIGH:log or A,B,C, got {text!r}.", where="--range")
    return {"low": scalar(low), "high": scalar(high), "log": bool(rest)}


def refuse_values(field: FieldInfo, key: str, chosen: Range) -> None:
    """Raise UsageError (2) for ends or choices that the field itself would refuse."""
    kind: Any = Annotated[field.annotation, Field(), *field.metadata]
    allowed: TypeAdapter[Any] = TypeAdapter(kind, config=ConfigDict(strict=True))
    for value in chosen.choices if chosen.choices is not None else (chosen.low, chosen.high):
        try:
            allowed.validate_python(value)
        except ValidationError as error:
            said = error.errors(include_url=False)[0]["msg"]
            raise UsageError(
                f"{key}: {said[0].lower()}{said[1:]}, got {value!r}.",
                where=key,
                help="a range within the field's own limits, see `ohlcv-factory config show`",
            ) from None


def _refuse_unknown_names(names: Iterable[str], model: str, fields: Mapping[str, FieldInfo]) -> None:
    for name in names:
        if name in OF_LABELS and name not in fields:
            raise UsageError(
                f"{name} decides the labels, and scores on other labels cannot be compared.",
                where=SPACE,
                help=f"ohlcv-factory tune-barriers scores barriers by money: {', '.join(MONEY_SCORES)}",
            )
        if name not in fields and name not in BESIDE_THE_MODEL:
            raise unknown_name(f"field of {model}", name, (*fields, *BESIDE_THE_MODEL), where=SPACE)


def _given(config: TrainerConfig) -> set[str]:
    """Fields that the recipe gives a value, under any of their names."""
    model_class = ModelRegistry.model_class(config.model_name)
    aliases = getattr(model_class.Config, "aliases", {})
    named = {aliases.get(name, name) for name in effective_hyper_parameters(config, model_class)}
    return named | {name for name in BESIDE_THE_MODEL if getattr(config, name) is not None}


def _offered(fields: Mapping[str, FieldInfo], tuning: TuningConfig, given: set[str]) -> set[str]:
    declared = {name for name, field in fields.items() if _declared(field) is not None}
    return (declared | set(tuning.space)) - given


def _declared(field: FieldInfo) -> Range | None:
    """The range that stands on a field."""
    notes = field.json_schema_extra
    search = notes.get("search") if isinstance(notes, dict) else None
    return Range.of(Search(**search)) if isinstance(search, dict) else None  # type: ignore[arg-type]


def _dimension(name: str, config: TrainerConfig, model: BaseModel, tuning: TuningConfig) -> Dimension:
    field = type(model.config).model_fields.get(name)
    chosen = tuning.space.get(name) or (_declared(field) if field else BESIDE_THE_MODEL[name])
    if chosen is None:
        raise UsageError(f"{name} has no range of its own.", where=SPACE, help=f"give one: {SPACE}.{name}")
    if field is None:
        refuse_values(TrainerConfig.model_fields[name], f"{SPACE}.{name}", chosen)
        return Dimension(name, chosen, default=getattr(model.input_spec, name))
    refuse_values(field, f"{SPACE}.{name}", chosen)
    return Dimension(name, chosen, _is_whole(field), getattr(model.config, name))


def _is_whole(field: FieldInfo) -> bool:
    kinds = get_args(field.annotation) or (field.annotation,)
    return int in kinds and float not in kinds
