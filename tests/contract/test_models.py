"""Every registered model keeps the contract: a new file is checked without being named here."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.testing.models import CHECKS, Check, Subject, checks_for

SMALL: dict[str, dict[str, Any]] = {
    "xgboost": {
        "n_estimators": 80,
        "max_depth": 3,
        "learning_rate": 0.1,
        "early_stopping_rounds": 10,
        "fixed_rounds": 40,
    },
    "lightgbm": {
        "n_estimators": 80,
        "max_depth": 3,
        "learning_rate": 0.1,
        "early_stopping_rounds": 10,
        "fixed_rounds": 40,
    },
    "catboost": {"iterations": 80, "depth": 3, "learning_rate": 0.1, "early_stopping_rounds": 10, "fixed_rounds": 40},
    "random_forest": {"n_estimators": 40},
}
"""Smaller fits where the defaults would take seconds; a model that is not named here is checked with its defaults."""


@cache
def subject(name: str) -> Subject:
    return Subject(name, SMALL.get(name))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize("name", ModelRegistry.entries())
def test_model_keeps_the_contract(name: str, check: Check) -> None:
    if not ModelRegistry.entry(name).installed:
        pytest.skip(f"{name} needs {ModelRegistry.entry(name).requires}")
    if check not in checks_for(subject(name)):
        pytest.skip(f"{name} does not call for it")
    check(subject(name))
