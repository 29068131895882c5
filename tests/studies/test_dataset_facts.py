from __future__ import annotations

import numpy as np
import pytest

from ohlcv_factory.errors import UsageError
from ohlcv_factory.studies.dataset_facts import CORRELATED_SET, Wishes, dataset_facts, tree_facts
from ohlcv_factory.training.fitting import inner_parts


@pytest.fixture(scope="module")
def found(container):
    return dataset_facts(container, 0.3)


def test_correlated_columns_are_those_of_a_pair_above_the_limit(container, found):
    rows = container.rows("train", scored=True)
    fit = rows[inner_parts(container, rows).fit]
    names = [name for name in container.feature_names if name in ("return_1", "return_5", "volume_ratio", "hour_sin")]
    rho = np.abs(np.corrcoef(container.matrix(fit, names).astype(float), rowvar=False))
    pairs = [(a, b) for a in range(len(names)) for b in range(a) if rho[a, b] > 0.3]
    own = found.set_of("transformer_raw")
    assert (own.columns, own.correlated_pairs) == (len(names), len(pairs))
    assert own.correlated_columns == len({place for pair in pairs for place in pair}) > 0
    assert own.rows_per_column == len(fit) / len(names)


def test_a_higher_limit_leaves_fewer_pairs(container, found):
    strict = dataset_facts(container, 0.99).set_of("boosting_optimal")
    assert strict.correlated_pairs < found.set_of("boosting_optimal").correlated_pairs


def test_sets_of_which_the_dataset_has_no_column_are_left_out(found):
    assert found.set_of("close_only") is None


def test_rows_look_back_horizons_and_known_columns_are_those_of_the_dataset(container, found):
    rows = container.rows("train", scored=True)
    assert (found.train_rows, found.fit_rows) == (len(rows), len(inner_parts(container, rows).fit))
    assert (found.lookback_available, found.horizons) == (257, (5,))
    assert found.known_columns == ("hour_sin",)


def test_what_nobody_asked_for_is_said_to_be_so(found):
    facts = tree_facts(found, Wishes())
    origins = {name: fact.origin for name, fact in facts.items()}
    assert origins == {
        "train_rows": "measured",
        "interpretable": "not asked",
        "latency_ms": "not asked",
        "correlated_columns": "measured",
        "context_bars": "not asked",
        "horizons_with_covariates": "not asked",
    }
    assert facts["correlated_columns"].value == found.set_of(CORRELATED_SET).correlated_columns


def test_wishes_become_the_facts_that_the_tree_compares(found):
    facts = tree_facts(found, Wishes(interpretable=True, latency_ms=20.0, context_bars=300, covariates=True))
    values = {name: facts[name].value for name in ("interpretable", "latency_ms", "context_bars")}
    assert values == {"interpretable": True, "latency_ms": 20.0, "context_bars": 300}
    assert facts["context_bars"].words == "wanted: 300 bars of context (257 are there)"
    assert facts["horizons_with_covariates"].value == 1


@pytest.mark.parametrize("wrong", [{"latency_ms": 0.0}, {"minutes": -1.0}, {"context_bars": 0}, {"correlation": 1.0}])
def test_wishes_out_of_range_are_refused(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Wishes.parse(wrong)
