"""`metrics/evaluation_metrics.json` has the specification's keys, and ours, with the right types."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import jsonschema
import pytest

METRICS = Path("metrics") / "evaluation_metrics.json"


def test_a_run_and_its_evaluations_obey_the_schema(runs, metrics_schema):
    for run in runs.values():
        jsonschema.validate(json.loads((run / METRICS).read_text()), metrics_schema)


@pytest.mark.parametrize("block", ["classification", "trading", "training", "baselines", "verdict"])
def test_the_schema_misses_a_block_that_is_gone(block, runs, metrics_schema):
    values = copy.deepcopy(json.loads((runs["logistic"] / METRICS).read_text()))
    del values["evaluation_metrics"][block]
    with pytest.raises(jsonschema.ValidationError, match=block):
        jsonschema.validate(values, metrics_schema)
