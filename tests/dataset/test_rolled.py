"""Datasets across contract rolls: features that show none, labels that cross none, rows that are warm again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from markets import COLUMNS, bar_file

from ohlcv_factory.bars.instruments import find_instrument
from ohlcv_factory.bars.rolls import Rolls
from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.build import build_dataset
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.rolled import eligible_rows, feature_rows, first_rows, padded_windows
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.errors import UsageError

ROLL = 2500
ONE = random_walk(5000, 1)
INSTRUMENT = find_instrument("SYNTH")
CUT = Rolls(handling="cut")


def rolled(bars=ONE, row=ROLL, factor=1.25):
    """The same market, quoted by a dearer contract from a row on."""
    prices = {
        name: np.where(np.arange(len(bars)) < row, 1, factor) * getattr(bars, name)
        for name in ("open", "high", "low", "close")
    }
    codes = (np.arange(len(bars)) >= row).astype(np.int32)
    return replace(bars, **prices, contract=codes, contract_names=("H", "M"))


def build(bars=None, **changed):
    settings = {"horizons": (5,), "features": COLUMNS, "embargo_days": "auto", **changed}
    return build_dataset([bar_file(rolled() if bars is None else bars)], DatasetConfig(**settings))


def test_features_show_no_roll_where_it_is_adjusted():
    through = feature_rows(rolled(), INSTRUMENT, COLUMNS, Rolls())
    np.testing.assert_allclose(through, feature_rows(ONE, INSTRUMENT, COLUMNS, Rolls()), rtol=1e-3, atol=1e-5)


def test_each_contract_stands_alone_where_rolls_are_cut():
    bars = rolled()
    cut = feature_rows(bars, INSTRUMENT, COLUMNS, CUT)
    first, second = (
        feature_rows(bars.slice(*rows), INSTRUMENT, COLUMNS, Rolls()) for rows in ((0, ROLL), (ROLL, 5000))
    )
    assert cut.tobytes() == np.concatenate((first, second)).tobytes()
    assert eligible_rows(bars, 300, CUT).tolist() == [*range(300, ROLL), *range(ROLL + 300, 5000)]
    assert eligible_rows(bars, 300, Rolls()).tolist() == [*range(300, 5000)]


def test_a_contract_that_is_too_short_to_get_warm_has_no_row():
    assert eligible_rows(rolled(row=4900), 300, CUT).tolist() == [*range(300, 4900)]


@pytest.mark.parametrize("rolls", [Rolls(), CUT])
@pytest.mark.parametrize("first_row", [1, ROLL - 1, ROLL, ROLL + 7, 4999])
def test_the_last_rows_have_the_bits_of_the_whole(rolls, first_row):
    whole = feature_rows(rolled(), INSTRUMENT, COLUMNS, rolls)
    assert feature_rows(rolled(), INSTRUMENT, COLUMNS, rolls, first_row).tobytes() == whole[first_row:].tobytes()


@pytest.mark.parametrize("rolls", [Rolls(), CUT])
def test_a_new_roll_changes_no_earlier_row(rolls):
    bars = rolled()
    before = feature_rows(bars.head(ROLL), INSTRUMENT, COLUMNS, rolls)
    assert feature_rows(bars, INSTRUMENT, COLUMNS, rolls)[:ROLL].tobytes() == before.tobytes()


def test_no_label_crosses_a_roll_and_no_row_is_used_before_it_is_warm_again():
    dataset = build(rolls=CUT)
    symbol, path = dataset.symbols[0], dataset.symbols[0].labels[5].path
    reach = symbol.labels[5].rule.max_bars
    assert not path.labelled[ROLL - reach : ROLL].any()
    assert path.labelled[ROLL - reach - 1]
    assert (symbol.part[ROLL : ROLL + dataset.first_eligible] == -1).all()
    container = TimeSeriesDataContainer.from_built(dataset, 5)
    assert np.array_equal(container.index["row"], dataset.eligible(symbol))
    assert np.array_equal(container.features, symbol.features[container.index["row"]])
    assert np.isfinite(container.features).all()


def test_a_roll_confirmed_by_hand_is_one_named_by_a_column():
    bars = replace(rolled(), contract=None, contract_names=())
    time = str(np.datetime64(int(bars.time_ns[ROLL]), "ns").astype("datetime64[s]")) + "Z"
    by_hand, by_column = build(bars, rolls=Rolls(at=(time,))), build()
    assert by_hand.symbols[0].features.tobytes() == by_column.symbols[0].features.tobytes()
    assert np.array_equal(by_hand.symbols[0].labels[5].path.labelled, by_column.symbols[0].labels[5].path.labelled)
    assert any("ratio 0.8" in note for note in by_hand.warnings)


def test_times_of_rolls_belong_to_one_series():
    files = [bar_file(random_walk(4000, seed, symbol=f"SYNTH{seed}")) for seed in (1, 2)]
    config = DatasetConfig(
        horizons=(5,), features=COLUMNS, embargo_days="auto", rolls=Rolls(at=("2024-01-03T00:00:00Z",))
    )
    with pytest.raises(UsageError, match="2 symbols were given"):
        build_dataset(files, config)


def test_the_past_of_a_row_begins_with_the_series_or_with_a_roll_that_is_cut():
    rows = np.array([0, ROLL - 1, ROLL, 4999])
    assert first_rows(rolled(), rows, Rolls()).tolist() == [0, 0, 0, 0]
    assert first_rows(rolled(), rows, CUT).tolist() == [0, 0, ROLL, ROLL]


@pytest.mark.parametrize("first", [0, ROLL - 20])
def test_padded_windows_are_the_same_from_all_the_features_and_from_the_last_ones(first):
    bars, rows = rolled(), np.array([ROLL + 3, ROLL + 40])
    features = feature_rows(bars, INSTRUMENT, ("close",), CUT, first)
    windows = padded_windows(bars, features, rows, 10, CUT)
    assert np.isnan(windows[0][:6]).all()
    np.testing.assert_array_equal(windows[0][6:, 0], bars.close[ROLL : ROLL + 4].astype(np.float32))
    np.testing.assert_array_equal(windows[1][:, 0], bars.close[ROLL + 31 : ROLL + 41].astype(np.float32))
