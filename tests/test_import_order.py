"""Imports go one way, and heavy libraries are imported where they are used: read from the import statements."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import ohlcv_factory

PACKAGE = Path(ohlcv_factory.__file__).parent
MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))
LAYERS = (
    *("errors", "config"),
    *("runtime", "storage"),
    "bars",
    *("features", "labels", "splits"),
    "dataset",
    "evaluation",
    "models",
    "training",
    "studies",
    "audit",
    "reports",
    *("cli", "testing"),
)
"""From left to right. Neighbours of one line of ARCHITECTURE have an order too, so that no two can need each other."""
HEAVY = frozenset(
    {"pandas", "sklearn", "skops", "torch", "xgboost", "lightgbm", "catboost", "matplotlib", "mlflow", "optuna", "ray"}
    | {"pandas_market_calendars", "transformers", "chronos", "safetensors", "tqdm", "gym_anytrading"}
)
NETWORKS = (
    *("models/_torch/", "models/neural/", "models/transformer/", "models/linear/", "models/state_space/"),
    *("models/_foundation/", "models/foundation/"),
)
"""Networks are classes of torch: these modules load it, and so only functions and they themselves may import them."""
DOOR_OF_NETWORKS = "ohlcv_factory.models.networks"
"""Importing it loads nothing, but a name from it loads torch."""
Import = tuple[int, str]
"""Line and dotted name."""


def imports(tree: ast.AST) -> Iterator[Import]:
    """Every import statement, inside functions and under TYPE_CHECKING too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            names = [f"{base}.{alias.name}" for alias in node.names] if base == "ohlcv_factory" else [base]
            yield from ((node.lineno, name) for name in names)


def imports_when_loaded(node: ast.AST) -> Iterator[Import]:
    """The imports that run when the module is imported: none of a function, none under TYPE_CHECKING."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield from imports(child)
        else:
            yield from imports_when_loaded(child)


def wrong_way(tree: ast.AST, layer: str) -> list[Import]:
    """The imports from a layer further right, and the relative ones."""
    allowed = ("__version__", *LAYERS[: LAYERS.index(layer) + 1])
    return [
        (line, name)
        for line, name in imports(tree)
        if name.startswith(".") or (name.startswith("ohlcv_factory.") and name.split(".")[1] not in allowed)
    ]


def listed(module: str, found: list[Import]) -> list[str]:
    return [f"src/ohlcv_factory/{module}:{line} imports {name}" for line, name in found]


@pytest.mark.parametrize("module", [module for module in MODULES if module != "__init__.py"])
def test_a_module_imports_from_its_own_folder_and_from_the_left(module: str) -> None:
    layer = module.partition("/")[0].removesuffix(".py")
    assert layer in LAYERS
    assert listed(module, wrong_way(ast.parse((PACKAGE / module).read_text()), layer)) == []


def is_heavy(name: str) -> bool:
    networks = tuple(f"ohlcv_factory.{folder.replace('/', '.')}" for folder in NETWORKS)
    return name.partition(".")[0] in HEAVY or name.startswith((*networks, DOOR_OF_NETWORKS))


@pytest.mark.parametrize("module", [module for module in MODULES if not module.startswith(NETWORKS)])
def test_loading_a_module_imports_no_heavy_library(module: str) -> None:
    loaded = imports_when_loaded(ast.parse((PACKAGE / module).read_text()))
    assert listed(module, [(line, name) for line, name in loaded if is_heavy(name)]) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from ohlcv_factory.bars.load import read_bars", []),
        ("from ohlcv_factory.errors import DataError\nimport numpy", []),
        ("import os\nfrom ohlcv_factory.dataset.samples import Samples", [(2, "ohlcv_factory.dataset.samples")]),
        ("from ohlcv_factory import __version__, cli", [(1, "ohlcv_factory.cli")]),
        ("from ohlcv_factory import Trainer", [(1, "ohlcv_factory.Trainer")]),
        ("import ohlcv_factory.features.sets as sets", [(1, "ohlcv_factory.features.sets")]),
        ("from .load import read_bars", [(1, ".load")]),
        ("def f():\n    import ohlcv_factory.models.base", [(2, "ohlcv_factory.models.base")]),
        (
            "if TYPE_CHECKING:\n    from ohlcv_factory.models.base import BaseModel",
            [(2, "ohlcv_factory.models.base")],
        ),
    ],
)
def test_an_import_from_the_right_is_found_with_its_line(source: str, found: list[Import]) -> None:
    assert wrong_way(ast.parse(source), "bars") == found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import torch.nn as nn", ["torch.nn"]),
        ("try:\n    import torch\nexcept ImportError:\n    torch = None", ["torch"]),
        ("class Model:\n    import torch", ["torch"]),
        ("def fit():\n    import torch", []),
        ("if TYPE_CHECKING:\n    import torch", []),
    ],
)
def test_only_what_runs_at_loading_counts_as_loaded(source: str, found: list[str]) -> None:
    assert [name for _, name in imports_when_loaded(ast.parse(source))] == found
