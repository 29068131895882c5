"""Studies without what takes most of the time of a small one: pictures, waiting for the disk, resampling."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from ohlcv_factory.evaluation.baselines import Baseline, baselines
from ohlcv_factory.training import artifacts


def few_versions(*given: Any, **named: Any) -> tuple[Baseline, ...]:
    """The baselines with at most two versions of each."""
    return tuple(replace(one, versions=one.versions[:2]) for one in baselines(*given, **named))


def no_intervals(*_: Any, **__: Any) -> dict[str, Any]:
    """In the place of the intervals of classification scores: none is defined."""
    return {"direction_edge": None}


@contextmanager
def quick_runs() -> Iterator[pytest.MonkeyPatch]:
    """`quick_studies`, and meanwhile no plots of runs either."""
    with quick_studies() as patch:
        patch.setattr(artifacts, "write_plots", lambda *_: None)
        yield patch


@contextmanager
def quick_studies() -> Iterator[pytest.MonkeyPatch]:
    """Meanwhile no drift picture, no fsync, two shifted copies for chance instead of 32, no intervals of classes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ohlcv_factory.studies.cross_validation.plot_drift", lambda *_: None)
        patch.setattr("ohlcv_factory.evaluation.scorecard.baselines", few_versions)
        patch.setattr("ohlcv_factory.evaluation.scorecard.classification_intervals", no_intervals)
        patch.setattr(os, "fsync", lambda _: None)
        yield patch
