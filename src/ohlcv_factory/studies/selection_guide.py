"""The specification's decision tree and comparison matrix of models, as data, and the way through the tree for some facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal, Self

from pydantic import model_validator

from ohlcv_factory.config import Settings, parse_yaml, setting

GUIDE = "selection_guide.yaml"
Origin = Literal["measured", "asked", "not asked"]


@dataclass(frozen=True)
class Fact:
    """One thing that the tree asks about."""

    value: float | bool | None
    """None: nobody asked for any."""
    words: str
    origin: Origin


class Question(Settings):
    """One fork of the tree."""

    asks: str
    fact: str
    above: float | None = setting(None, "Yes where the fact is larger; with neither limit the fact is the answer.")
    below: float | None = setting(None, "Yes where the fact is smaller.")
    claim: str = setting(..., "What the specification must believe for this fork to help; it names no source.")
    yes: str
    no: str

    def holds(self, value: float | bool | None) -> bool:
        """The answer for a value of the fact; what nobody asked for is not needed."""
        if value is None:
            return False
        if self.above is not None:
            return value > self.above
        return value < self.below if self.below is not None else bool(value)

    def next(self, answer: bool) -> str:
        """The question or the answer that follows."""
        return self.yes if answer else self.no


class Advice(Settings):
    """One end of the tree: models, the first one first."""

    models: tuple[str, ...]
    words: str


@dataclass(frozen=True)
class Branch:
    """One fork on the way: what was asked, what is so, and where it led."""

    question: str
    asks: str
    answer: bool
    fact: Fact
    claim: str

    def plain(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


@dataclass(frozen=True)
class Way:
    """A way through the tree, from its start to an end."""

    branches: tuple[Branch, ...]
    end: str
    advice: Advice


class SelectionGuide(Settings):
    """Tree and matrix; every fork leads somewhere, every row has all columns."""

    start: str
    questions: dict[str, Question]
    answers: dict[str, Advice]
    columns: tuple[str, ...]
    matrix: dict[str, tuple[str, ...]]
    fallback: str

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Self:
        places = {*self.questions, *self.answers}
        led_to = {self.start, *(place for each in self.questions.values() for place in (each.yes, each.no))}
        if places != led_to:
            raise ValueError(f"forks and ends that do not fit together: {sorted(places ^ led_to)}")
        short = [name for name, row in self.matrix.items() if len(row) != len(self.columns)]
        if short:
            raise ValueError(f"rows of the matrix with another length than its {len(self.columns)} columns: {short}")
        return self

    def way(self, facts: Mapping[str, Fact]) -> Way:
        """From the start to an end, by facts under the names that the questions ask for."""
        place, branches = self.start, []
        while place in self.questions:
            asked = self.questions[place]
            fact = facts[asked.fact]
            branches.append(Branch(place, asked.asks, asked.holds(fact.value), fact, asked.claim))
            place = asked.next(branches[-1].answer)
        return Way(tuple(branches), place, self.answers[place])

    def row(self, model: str) -> dict[str, str | None]:
        """What the matrix says of a model, by column; None where it says nothing."""
        return dict(zip(self.columns, self.matrix.get(model, (None,) * len(self.columns)), strict=True))

    def beyond(self, question: str) -> tuple[str, ...]:
        """The models at all ends that can be reached from a question, each once."""
        if question in self.answers:
            return self.answers[question].models
        asked = self.questions[question]
        return tuple(dict.fromkeys((*self.beyond(asked.yes), *self.beyond(asked.no))))


@cache
def selection_guide() -> SelectionGuide:
    """The guide that the factory brings."""
    text = files(__package__).joinpath(GUIDE).read_text(encoding="utf-8")
    return SelectionGuide.parse(parse_yaml(text, where=GUIDE).values, where=GUIDE)
