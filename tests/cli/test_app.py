"""Exit codes, dry runs, the environment, and where settings come from."""

from __future__ import annotations

import json

import pytest
from command_line import DATASET, call, fresh, succeed

from ohlcv_factory.cli import app


def test_an_interrupt_leaves_130_and_a_run_that_says_so(dataset, tmp_path, monkeypatch):
    from ohlcv_factory.training import trainer

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(trainer, "fit_pipeline", interrupted)
    train = ("train", "--model", "logistic", "--dataset", dataset, "--horizon", "5", "--output-dir", tmp_path / "runs")
    answer = call(*train, "--json")
    assert answer.code == 130
    assert answer.json["exit_code"] == 130
    (state,) = (tmp_path / "runs").glob("*/state.json")
    assert json.loads(state.read_text())["state"] == "INTERRUPTED"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["trian"], "No such command 'trian'"),
        (["train", "--modell", "svm"], "--modell"),
        (["data", "build"], "data build needs --out DIR"),
        (["data", "build", "--out", "new"], "no bar file was named"),
    ],
)
def test_a_command_that_cannot_be_meant_leaves_2(arguments, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = call(*arguments)
    assert answer.code == 2
    assert says in answer.err and "  help: " in answer.err
    assert call(*arguments, "--json").json["exit_code"] == 2


def test_a_defect_leaves_70_and_a_traceback_only_on_demand(monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(app.typer.main, "get_command", broken)
    answer = call("doctor")
    assert answer.code == 70
    assert "ZeroDivisionError: by zero" in answer.err and "Traceback" not in answer.err
    assert "Traceback" in call("doctor", "--debug").err


def test_a_dry_run_writes_nothing(bar_csv, dataset, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = succeed("data", "build", bar_csv, "--out", "new", *DATASET, "--dry-run", "--json").json
    assert (plan["bars"], plan["horizons"]) == (6000, [5, 10])
    plan = succeed("train", "--model", "logistic", "--dataset", dataset, "--horizon", "5", "--dry-run", "--json").json
    assert plan["rows_train"] >= plan["rows_fit"] + plan["rows_stop"] + plan["rows_calibrate"] > 0
    assert list(tmp_path.iterdir()) == []


def test_later_layers_of_settings_win_and_config_show_names_them(tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("horizon: 10\nmodel: {C: 0.5, max_iter: 50}\n")
    environment = {"FACTORY_model__C": "0.25", "FACTORY_WEIGHTING": "none"}
    show = ("config", "show", "logistic", "--config", recipe, "--set", "weighting=quality", "--json")
    shown = {row["key"]: (row["value"], row["source"]) for row in succeed(*show, environment=environment).json}
    assert shown["horizon"] == (10, str(recipe))
    assert shown["model.max_iter"] == (50, str(recipe))
    assert shown["model.C"] == ("0.25", "environment")
    assert shown["weighting"] == ("quality", "--set")
    assert shown["model.solver"] == ("lbfgs", "default (specification)")


def test_the_environment_acts_on_training(dataset, tmp_path):
    train = ("train", "--model", "logistic", "--dataset", dataset, "--output-dir", tmp_path / "runs", "--json")
    answer = succeed(*train, environment={"FACTORY_HORIZON": "10"})
    assert answer.json["evaluation_metrics"]["horizon"] == 10
    refused = call(*train, environment={"FACTORY_HORIZN": "10"})
    assert refused.code == 2
    assert "horizn: unknown key; did you mean 'horizon'?" in refused.json["what"]


def test_a_fresh_process_says_the_same_as_this_one(bar_csv):
    check = ("data", "check", bar_csv, "--json")
    assert fresh(*check).stdout == succeed(*check).out
