"""Seeds are the same on every machine, and every component has its own."""

from __future__ import annotations

import numpy as np

from ohlcv_factory.runtime.seeding import component_generator, component_seed


def test_a_seed_is_the_same_on_every_machine() -> None:
    assert component_seed(42, "xgboost", "chunk", 3) == 1973644250
    assert component_seed(0) == 1190568545


def test_components_seeds_and_their_order_make_a_difference() -> None:
    given = [(42, "xgboost"), (43, "xgboost"), (42, "lightgbm"), (42, "xgboost", 1), (42, "xgboost", 2), (42,)]
    seeds = {component_seed(seed, *names) for seed, *names in given}
    assert len(seeds | {component_seed(42, "a", "b"), component_seed(42, "b", "a")}) == 8


def test_a_seed_fits_every_library() -> None:
    seeds = [component_seed(seed, "chunk", seed) for seed in range(200)]
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert max(seeds) > 2**30


def test_a_generator_is_its_components_own() -> None:
    first = component_generator(42, "bootstrap").standard_normal(3)
    component_generator(42, "other").standard_normal(3)
    np.testing.assert_array_equal(component_generator(42, "bootstrap").standard_normal(3), first)


def test_the_global_random_state_is_left_alone() -> None:
    before = np.random.get_state(legacy=False)["state"]
    component_generator(42, "bootstrap").standard_normal(3)
    after = np.random.get_state(legacy=False)["state"]
    assert before["pos"] == after["pos"]
    np.testing.assert_array_equal(before["key"], after["key"])
