from __future__ import annotations

import pytest

from ohlcv_factory.errors import UsageError
from ohlcv_factory.models.registry import builtin_entries
from ohlcv_factory.studies.selection_guide import Fact, SelectionGuide, selection_guide

ENOUGH = {"train_rows": 50_001}
WAYS = {
    "little_data": ({"train_rows": 50_000}, ["chronos_bolt", "dlinear", "nlinear"]),
    "readable": ({**ENOUGH, "interpretable": True}, ["nbeats", "xgboost"]),
    "quick": ({**ENOUGH, "latency_ms": 999.0}, ["tcn", "dlinear"]),
    "feature_attention": ({**ENOUGH, "latency_ms": 1000.0, "correlated_columns": 31}, ["itransformer"]),
    "long_memory": ({**ENOUGH, "correlated_columns": 30, "context_bars": 257}, ["mamba"]),
    "known_in_advance": ({**ENOUGH, "context_bars": 256, "horizons_with_covariates": 2}, ["tft"]),
    "temporal": ({**ENOUGH, "horizons_with_covariates": 1}, ["tcn", "lstm"]),
}
"""Of each end of the tree facts at its border that lead there, and the models that the specification names."""
NOBODY_ASKED = {
    "interpretable": False,
    "latency_ms": None,
    "correlated_columns": 0,
    "context_bars": None,
    "horizons_with_covariates": None,
}
MATRIX = """
xgboost fast fast high high n/a
lstm slow medium medium low medium
tcn medium fast medium low high
nbeats medium fast high high medium
tft slow medium medium high medium
itransformer medium medium medium medium medium
dlinear very-fast very-fast high medium medium
mamba medium fast medium low very-high
chronos_bolt n/a-(zero-shot) fast very-high low high
"""


def facts(values):
    return {name: Fact(value, "", "measured") for name, value in {**NOBODY_ASKED, **values}.items()}


@pytest.mark.parametrize("end", WAYS)
def test_the_tree_leads_where_the_specification_s_does(end):
    values, models = WAYS[end]
    way = selection_guide().way(facts(values))
    assert (way.end, list(way.advice.models)) == (end, models)


def test_the_ways_reach_every_end_and_turn_both_ways_at_every_fork():
    guide = selection_guide()
    assert set(WAYS) == set(guide.answers)
    turned = {(each.question, each.answer) for values, _ in WAYS.values() for each in guide.way(facts(values)).branches}
    assert turned == {(name, answer) for name in guide.questions for answer in (True, False)}


def test_a_branch_says_what_was_asked_what_is_so_and_what_it_rests_on():
    first, second = selection_guide().way(facts({**ENOUGH, "interpretable": True})).branches
    assert (first.asks, first.answer) == ("Is there enough data (more than 50,000 samples)?", True)
    assert second.fact.value is True
    assert second.claim == "N-BEATS and XGBoost can be read, at no price in skill"


def test_the_matrix_is_the_specification_s():
    expected = {line.split()[0]: tuple(line.replace("-", " ").split(" ")) for line in MATRIX.strip().splitlines()}
    words = {name: tuple(cell.replace("-", " ") for cell in row) for name, row in selection_guide().matrix.items()}
    assert {name: " ".join(row) for name, row in words.items()} == {
        name: " ".join(row[1:]) for name, row in expected.items()
    }


def test_of_a_model_that_it_leaves_out_the_matrix_says_nothing():
    assert set(selection_guide().row("nlinear").values()) == {None}


def test_every_model_of_the_guide_is_a_model_of_the_registry():
    guide = selection_guide()
    named = {*guide.matrix, guide.fallback, *(name for each in guide.answers.values() for name in each.models)}
    assert named <= set(builtin_entries())


def test_beyond_a_fork_lie_the_models_of_all_its_ends():
    guide = selection_guide()
    assert guide.beyond("long_context") == ("mamba", "tft", "tcn", "lstm")
    assert guide.beyond("readable") == ("nbeats", "xgboost")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"start": "covariates"}, "forks and ends that do not fit together: ['enough_rows'"),
        ({"columns": ("one",)}, "rows of the matrix with another length than its 1 columns"),
    ],
)
def test_a_guide_that_does_not_hang_together_is_refused(change, words):
    with pytest.raises(UsageError, match=r".") as refused:
        SelectionGuide.parse({**selection_guide().plain(), **change}, where="guide")
    assert words in refused.value.what
