from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ohlcv_factory.bars.instruments import Instrument, find_instrument
from ohlcv_factory.bars.resample import resample
from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.labelling import label_symbol
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.errors import UsageError

SOURCE = random_walk(6000, 11, bar_seconds=60)
BARS = resample(SOURCE, 300)
GENERIC = find_instrument("SYNTH")
NEAR = {"horizons": (5,), "barriers": {5: {"k_up": 0.5, "k_down": 0.5, "max_bars": 5}}}


def near(**more):
    return DatasetConfig.parse({**NEAR, **more})


def test_source_bars_settle_most_double_touches_and_change_no_other_label():
    with_source = label_symbol(BARS, SOURCE, GENERIC, near())[5].path
    without = label_symbol(BARS, None, GENERIC, near())[5].path
    assert not without.resolved.any()
    assert np.array_equal(with_source.resolved | with_source.ambiguous, without.ambiguous)
    assert with_source.ambiguous.sum() < 0.2 * without.ambiguous.sum()
    same = ~without.ambiguous
    assert np.array_equal(with_source.label[same], without.label[same])


def test_with_the_sessions_end_no_path_leaves_its_session():
    days = GENERIC.sessions.session_day(BARS.time_ns)
    path = label_symbol(BARS, None, GENERIC, near(session_end=True))[5].path
    rows = np.flatnonzero(path.labelled)
    assert np.array_equal(days[rows], days[rows + 5])
    assert path.labelled.sum() < label_symbol(BARS, None, GENERIC, near())[5].path.labelled.sum()


def test_no_path_leaves_its_contract():
    rolled = replace(BARS, contract=(np.arange(len(BARS)) >= 700).astype(np.int32), contract_names=("H4", "M4"))
    path = label_symbol(rolled, None, GENERIC, near())[5].path
    unlabelled = set(range(14)) | set(range(695, 714)) | set(range(len(BARS) - 5, len(BARS)))  # ATR starts anew
    assert set(np.flatnonzero(~path.labelled)) == unlabelled


def test_costs_above_the_barriers_make_every_row_neutral_but_for_gaps():
    dear = Instrument(symbol="SYNTH", fee_bps=50.0, barriers=GENERIC.barriers)
    path = label_symbol(BARS, None, dear, near(cost_aware=True))[5].path
    assert (path.label[path.labelled] == 1).mean() > 0.99
    assert (label_symbol(BARS, None, dear, near())[5].path.label == 1).mean() < 0.5


def test_a_horizon_without_barriers_is_refused():
    with pytest.raises(UsageError, match="horizon 7 is not offered"):
        label_symbol(BARS, None, GENERIC, DatasetConfig(horizons=(7,)))
