"""One change to a command and what must come of it: what the tests of a verb's options share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from command_line import Answer, call

from ohlcv_factory.cli.app import application
from ohlcv_factory.config import write_yaml

PROBABILITIES = "probabilities"


@dataclass(frozen=True)
class Case:
    """One change to a command and what must come of it."""

    change: tuple[str, ...] | dict[str, Any]
    """Arguments, or keys of a recipe file."""
    differs: str = PROBABILITIES
    """What must differ, a key of what is seen of the command."""
    base: tuple[str, ...] = ()
    refusal: str = ""
    """What the refusal says, for a change that is refused."""
    code: int = 2
    """Exit code of the refusal."""

    def arguments(self, folder: Path, **more: Any) -> tuple[str, ...]:
        """The change on the command line, keys as a recipe file in `folder`, which also says `more`."""
        if not isinstance(self.change, dict):
            return self.change
        recipe = folder / "recipe.yaml"
        recipe.write_text(write_yaml({**more, **self.change}), encoding="utf-8")
        return ("--config", str(recipe))

    def require(self, after: Mapping[str, Any], before: Callable[[], Mapping[str, Any]]) -> None:
        """Assert that what is seen with the change is refused, or differs from what is seen without it."""
        if self.refusal:
            assert after["code"] == self.code
            assert self.refusal in after["answer"].err
            assert "  help: " in after["answer"].err
        else:
            assert after["code"] == 0, after["answer"].err
            assert before().get(self.differs) != after.get(self.differs)


def carried_out(place: Path, *arguments: str) -> tuple[Answer, Path | None]:
    """One command, and the folder of the run or study that it left in a folder of `place`; None where it left none."""
    before = set(place.glob("*/*/state.json"))
    answer = call(*arguments, environment={"OMP_NUM_THREADS": "2"})
    new = sorted(set(place.glob("*/*/state.json")) - before)
    return answer, new[0].parent if new else None


def seen_of(answer: Answer, left: Path | None) -> dict[str, Any]:
    """What a user can see of any command: its answer, and in which folder it left something."""
    return {
        "answer": answer,
        "code": answer.code,
        "is_json": answer.out.startswith("{"),
        "folder": left.parent.name if left else None,
    }


def flags_of(*verbs: str) -> set[str]:
    """The parameters of a command."""
    found: Any = typer.main.get_command(application)
    for verb in verbs:
        found = found.commands[verb]
    return {parameter.name for parameter in found.params}
