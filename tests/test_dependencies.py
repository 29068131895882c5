"""Every library that the package imports is declared: as a dependency, or in an extra that users install."""

from __future__ import annotations

import ast
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import ohlcv_factory

PACKAGE = Path(ohlcv_factory.__file__).parent
PYPROJECT = PACKAGE.parents[1] / "pyproject.toml"
MODULE_OF = {
    "ta-lib": "talib",
    "pywavelets": "pywt",
    "scikit-learn": "sklearn",
    "pyyaml": "yaml",
    "xgboost-cpu": "xgboost",
    "chronos-forecasting": "chronos",
    "kronos-finance": "kronos_finance",
    "mlflow-skinny": "mlflow",
    "gym-anytrading": "gym_anytrading",
    "mamba-ssm": "mamba_ssm",
}
COMES_WITH = {"pydantic_core": "pydantic"}
"""A module that a declared library brings, in the one version that fits it."""

pytestmark = pytest.mark.skipif(not PYPROJECT.exists(), reason="the package is installed without its checkout")


def imported() -> dict[str, str]:
    """Third-party modules and the first `file:line` that imports each."""
    found: dict[str, str] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for top in {name.partition(".")[0] for name in names} - {"ohlcv_factory", *sys.stdlib_module_names}:
                found.setdefault(top, f"{path.relative_to(PACKAGE)}:{node.lineno}")
    return found


def modules(requirements: list[str]) -> set[str]:
    names = [Requirement(text).name.lower() for text in requirements]
    return {MODULE_OF.get(name, name) for name in names}


def test_every_library_that_is_imported_is_declared() -> None:
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    extras = [text for name, texts in project["optional-dependencies"].items() if name != "dev" for text in texts]
    offered = modules([*project["dependencies"], *extras])
    missing = {top: place for top, place in imported().items() if COMES_WITH.get(top, top) not in offered}
    assert missing == {}
