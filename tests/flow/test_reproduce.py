"""`reproduce` after `train`, for a model of every family, as a user types it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from command_line import DATASET, call, succeed
from quick_fits import settings_of
from resealed import reseal

FAMILIES = ("lightgbm", "xgboost", "catboost", "logistic", "gru", "patchtst", "dlinear", "s4")


def trained(dataset, output_dir, *flags) -> Path:
    where = ("--dataset", dataset, "--horizon", "5", "--output-dir", output_dir / "runs")
    return Path(succeed(*flags, *where, "--json").json["output_path"])


@pytest.mark.parametrize(
    "model", [pytest.param(name, marks=[] if name == "lightgbm" else pytest.mark.slow) for name in FAMILIES]
)
def test_a_run_comes_out_again_to_the_same_bytes(model, dataset, tmp_path) -> None:
    run = trained(dataset, tmp_path, "train", "--model", model, *settings_of(model))
    found = succeed("reproduce", run, "--json").json
    assert (found["verdict"], found["differing_rows"], found["environment"]) == ("same bytes", 0, [])
    assert found["rows"] > 200


@pytest.mark.slow
def test_an_ensemble_comes_out_again_to_the_same_bytes(dataset, tmp_path) -> None:
    members = ("--members", "logistic,random_forest", "--folds", "3", "--embargo", "auto")
    run = trained(dataset, tmp_path, "ensemble", "--method", "voting", *members)
    assert succeed("reproduce", run, "--json").json["verdict"] == "same bytes"


@pytest.mark.slow
@pytest.mark.parametrize("model", ["chronos_bolt", "timesfm"])
def test_a_foundation_model_comes_out_again_to_the_same_bytes(model, dataset, shelf, tmp_path) -> None:
    pytest.importorskip("chronos", reason="needs the extra foundation")
    settings = ("--set", "model.lookback=64", "--set", "model.block_rows=32", "--set", "model.mode=zero_shot")
    run = trained(dataset, tmp_path, "train", "--model", model, *settings)
    assert succeed("reproduce", run, "--json").json["verdict"] == "same bytes"


def test_a_changed_bar_is_named_by_the_digests_of_the_data(dataset, bar_csv, tmp_path) -> None:
    run = trained(dataset, tmp_path, "train", "--model", "logistic", *settings_of("logistic"))
    lines = bar_csv.read_text().splitlines(keepends=True)
    time, open_, high, low, close, _ = lines[900].split(",")
    lines[900] = f"{time},{open_},{high},{low},{close},12345.0\n"
    (tmp_path / bar_csv.name).write_text("".join(lines))
    succeed("data", "build", tmp_path / bar_csv.name, "--out", tmp_path / "other", *DATASET)
    refused = call("reproduce", run, "--dataset", tmp_path / "other")
    assert refused.code == 76
    assert re.search(r"not what the run was made of: dataset: digest \w{12} then, \w{12} now\.", refused.err)


def test_another_version_is_named_and_a_changed_key_is_refused_by_name(dataset, tmp_path) -> None:
    run = trained(dataset, tmp_path, "train", "--model", "logistic", *settings_of("logistic"))
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["packages"]["numpy"] = "1.0.0"
    (run / "manifest.json").write_text(json.dumps(manifest))
    answer = succeed("reproduce", run)
    assert "same bytes" in answer.out and "not as it was: packages.numpy: 1.0.0 then, " in answer.out
    recipe = run / "config" / "training_config.yaml"
    recipe.write_text(recipe.read_text().replace("random_seed: 42", "random_seed: 43"))
    reseal(run)
    refused = call("reproduce", run)
    assert refused.code == 76 and "random_seed: 42 then, 43 now" in refused.err


def test_only_a_finished_run_with_its_dataset_is_reproduced(dataset, tmp_path) -> None:
    assert call("reproduce", tmp_path).code == 66
    run = trained(dataset, tmp_path, "train", "--model", "logistic", *settings_of("logistic"))
    assert call("reproduce", run, "--dataset", tmp_path / "absent").code == 66
