"""`new-model`: a file that is a working model from the start, to be changed into one's own."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Annotated, Any

import typer

from ohlcv_factory.cli import options
from ohlcv_factory.cli.console import emit

TEMPLATE_OF_FAMILY = {
    "boosting": "tabular",
    "classical": "tabular",
    "neural": "network",
    "transformer": "network",
    "linear": "network",
    "state_space": "network",
}
"""Families that a model can be written for, and what its file starts from."""
MODELS_OF_A_CLONE = Path("src/ohlcv_factory/models")
TESTS_OF_A_CLONE = Path("tests/models")
NAME = re.compile(r"[a-z][a-z0-9_]*")


def new_model(
    name: Annotated[str, typer.Argument(help="Name of the model: lower case, digits and underscores.")],
    family: Annotated[str, typer.Option("--family", help=f"One of {', '.join(TEMPLATE_OF_FAMILY)}.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="File to write; default: the family's folder in a clone, NAME.py elsewhere."),
    ] = None,
    with_test: Annotated[bool, typer.Option("--test", help="Write its test file too.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Write one file that is a working model, keeps the contract, and waits to be changed into yours."""
    refuse_name(name)
    refuse_family(family)
    sketch = Sketch.at(name, family, out)
    refuse_module(sketch)
    written = sketch.write(with_test)
    values = {"name": name, "family": family, "files": [str(path) for path in written], "next": sketch.next_steps()}
    emit(values, "\n".join([*(f"wrote {path}" for path in written), *sketch.next_steps()]), as_json)


def refuse_name(name: str) -> None:
    """Raise UsageError (2) for a name that cannot name a file and a model, or that is taken, naming the module."""
    from ohlcv_factory.errors import UsageError
    from ohlcv_factory.models.registry import ModelRegistry

    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise UsageError(
            f"{name!r} cannot name a model: lower case letters, digits and underscores, a letter first, no word of Python.",
            where=name,
            help="for example: my_network",
        )
    taken = ModelRegistry.entries().get(name)
    if taken:
        raise UsageError(f"the name {name!r} is taken by {taken.module}.", where=name, help="choose another name")


def refuse_family(family: str) -> None:
    """Raise UnknownNameError (2) for a family that has no template."""
    from ohlcv_factory.errors import unknown_name

    if family not in TEMPLATE_OF_FAMILY:
        raise unknown_name("family", family, TEMPLATE_OF_FAMILY, see="ohlcv-factory new-model --help")


def refuse_module(sketch: Sketch) -> None:
    """Raise UsageError (2) for a file that cannot be imported, or that would hide another module of its name."""
    from ohlcv_factory.errors import UsageError
    from ohlcv_factory.runtime.packages import is_installed

    module, file = sketch.path.stem, str(sketch.path)
    if sketch.path.suffix != ".py" or not module.isidentifier() or keyword.iskeyword(module):
        raise UsageError(f"{file} cannot be imported as a module.", where=file, help="for example: --out my_network.py")
    if not sketch.in_package and not sketch.path.exists() and is_installed(module):
        raise UsageError(f"{file} would hide the module {module!r} from Python.", where=file, help="--out OTHER.py")


@dataclass(frozen=True)
class Sketch:
    """A model to be written, and where its files go."""

    name: str
    family: str
    path: Path
    test_path: Path
    in_package: bool
    """Whether the file lies in the factory's own folder of the family, where nothing else has to register it."""

    @classmethod
    def at(cls, name: str, family: str, out: Path | None) -> Sketch:
        """In a clone's family folder, in the file that was named, or in the folder at hand."""
        if out is None and MODELS_OF_A_CLONE.is_dir():
            path, tests = MODELS_OF_A_CLONE / family / f"{name}.py", TESTS_OF_A_CLONE / family
            return cls(name, family, path, tests / f"test_{name}.py", in_package=True)
        path = out or Path(f"{name}.py")
        return cls(name, family, path, path.with_name(f"test_{path.name}"), in_package=False)

    def write(self, with_test: bool) -> list[Path]:
        """Write the file, and its test; nothing is written when one of them exists. Raises OutputError (73)."""
        texts = {self.path: self._filled(TEMPLATE_OF_FAMILY[self.family])}
        if with_test:
            texts[self.test_path] = self._filled("test_of_package" if self.in_package else "test_of_file")
        self._refuse_existing(list(texts))
        from ohlcv_factory.storage import atomic

        for path, text in texts.items():
            atomic.create_folder(path.parent)
            atomic.write_text(path, text)
        return list(texts)

    def next_steps(self) -> list[str]:
        """What to do with the files, one line each."""
        check = f'check it: from ohlcv_factory.testing import check_model; check_model("{self.name}")'
        if self.in_package:
            train = f"train it: ohlcv-factory train --dataset DATASET --horizon 20 --model {self.name}"
            return [check, train, "then its recipe configs/models, and: python docs/generate.py (see CONTRIBUTING.md)"]
        train = f"train it: ohlcv-factory train --plugin {self.path} --dataset DATASET --horizon 20 --model {self.name}"
        return [f"register it in Python: import {self.path.stem}", check, train]

    def _filled(self, template: str) -> str:
        text = files("ohlcv_factory.cli").joinpath("templates", f"{template}.py.txt").read_text(encoding="utf-8")
        return Template(text).substitute(self._words())

    def _words(self) -> dict[str, Any]:
        camel = "".join(word.capitalize() for word in self.name.split("_"))
        return {"name": self.name, "Name": camel, "family": self.family, "file": self.path.name}

    def _refuse_existing(self, paths: list[Path]) -> None:
        from ohlcv_factory.errors import OutputError

        for path in paths:
            if path.exists():
                raise OutputError(f"{path} exists already.", where=str(path), help="name another file: --out FILE")
