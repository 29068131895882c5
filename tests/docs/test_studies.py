"""The page on studies runs from top to bottom, and its tables name what a study writes."""

from __future__ import annotations

import json
import re

import pytest

from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.studies.settings import CrossValidationConfig

PAGE = "docs/studies.md"
ENTRY = re.compile(r"`([a-z_]+)`")


def first_cells(text, header):
    """The entries that the first column of a table names."""
    table = text.partition(f"| {header} |")[2].partition("\n\n")[0]
    return [name for line in table.splitlines()[2:] for name in ENTRY.findall(line.split("|")[1])]


@pytest.mark.filterwarnings(
    "ignore:class missing:ohlcv_factory.models.base.MissingClassWarning"
)  # neutral is rare here
def test_the_page_runs_and_names_every_entry_file_and_key(
    pytestconfig, run_document, tmp_path, capsys, monkeypatch
) -> None:
    monkeypatch.delenv("FACTORY_CHECKPOINTS", raising=False)  # as for a reader who has fetched none
    random_walk(4000, seed=7, bar_seconds=3600).frame().write_csv(tmp_path / "SYNTH.csv")
    folder = run_document(PAGE)
    text = (pytestconfig.rootpath / PAGE).read_text(encoding="utf-8")
    studies = sorted(folder.glob("experiments/studies/cv_logistic_h20_*"))
    assert len(studies) == 4
    found = [json.loads((study / "metrics" / "metrics.json").read_text()) for study in studies]
    assert sorted(metrics["scheme"] for metrics in found) == ["kfold", "kfold", "kfold", "walk_forward"]
    for metrics in found:
        assert sorted(first_cells(text, "Entry of `metrics.json`")) == sorted(metrics)
        assert sorted(first_cells(text, "Entry")) == sorted(metrics["stability"]["log_loss_skill"])
        assert {name for entry in metrics["blocks"] for name in entry} <= set(ENTRY.findall(text))
        assert metrics["out_of_fold"][0]["verdict"]["code"] == "no edge found"
    (asked,) = folder.glob("experiments/studies/*/metrics/importance.json")
    assert first_cells(text, "Entry of `importance.json`") == list(json.loads(asked.read_text())[0])
    files = {path.name for path in studies[0].rglob("*") if path.is_file() and "folds" not in path.parts}
    assert [name for name in sorted(files) if name not in text] == []
    assert first_cells(text, "Key") == list(CrossValidationConfig.model_fields)
    assert "((0, " in capsys.readouterr().out  # the stretches of the last fold
