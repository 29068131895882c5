from __future__ import annotations

from typing import NamedTuple

import pytest

from ohlcv_factory.dataset.samples import Samples
from ohlcv_factory.testing.models import planted_samples


class Parts(NamedTuple):
    train: Samples
    stop: Samples
    scored: Samples


@pytest.fixture(scope="session")
def parts() -> Parts:
    """600 rows to fit, 200 to stop on, 200 to score; the class follows the first two of six features."""
    rows = planted_samples(1000, 6)
    return Parts(rows.take(slice(0, 600)), rows.take(slice(600, 800)), rows.take(slice(800, 1000)))
