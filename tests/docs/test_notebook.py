"""The notebook runs from top to bottom in an empty folder, and is stored without what it once printed."""

from __future__ import annotations

import ast
import json

import pytest

from ohlcv_factory.runtime.packages import is_installed

NOTEBOOK = "notebooks/quickstart.ipynb"


@pytest.fixture
def cells(pytestconfig):
    """The cells of the stored notebook."""
    return json.loads((pytestconfig.rootpath / NOTEBOOK).read_text(encoding="utf-8"))["cells"]


@pytest.fixture
def run_cells(cells, tmp_path, monkeypatch, own_registry, own_environment):
    """Run the code cells in one namespace, in an empty folder; what each shows, and the names left behind."""
    monkeypatch.chdir(tmp_path)

    def run():
        namespace = {"__name__": "notebook"}
        sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        return [shown_value(source, f"cell {number}", namespace) for number, source in enumerate(sources)], namespace

    return run


def shown_value(source, name, namespace):
    """Run a cell; the value of its last expression, as a notebook shows it, or None."""
    body = ast.parse(source, name).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), name, "exec"), namespace)
    return None if last is None else eval(compile(ast.Expression(last.value), name, "eval"), namespace)


def test_it_goes_from_bars_to_a_comparison_and_the_newest_prediction(run_cells) -> None:
    shown, names = run_cells()
    trained = {run.manifest["model"] for run in names["best"].runs}
    assert trained == ({"logistic", "gru"} if is_installed("torch") else {"logistic"})
    assert all(value is not None for value in shown)
    newest = shown[-1]
    assert newest.height == 3
    assert newest.columns == ["symbol", "time", "p_short", "p_neutral", "p_long", "decision"]


def test_it_is_stored_without_outputs(cells) -> None:
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    assert [cell for cell in code if cell["outputs"] or cell["execution_count"] is not None] == []
