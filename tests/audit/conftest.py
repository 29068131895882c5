from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from own_features import own_features

from ohlcv_factory.bars.sessions import CALENDARS
from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.runtime.plugin_files import load_plugins

SUPPORT = Path(__file__).parent.parent / "support"


@pytest.fixture(scope="session")
def bars():
    """Chicago hours: closed from 22:00 to 23:00 UTC, 3 % of the other bars absent."""
    walk = random_walk(4000, 3)
    hours = walk.time_ns // 3_600_000_000_000 % 24
    present = np.random.default_rng(3).random(len(walk)) > 0.03
    return walk.take(np.flatnonzero((hours != 22) & present))


@pytest.fixture(scope="session")
def calendar():
    return CALENDARS["cme_equity"]


@pytest.fixture
def planted():
    """The features of tests/support/planted.py, in the catalogue for one test."""
    with own_features():
        load_plugins([SUPPORT / "planted.py"])
        yield SUPPORT / "planted.py"
