from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from markets import COLUMNS, bar_file

from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.build import build_dataset
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.dataset.store import write_dataset
from ohlcv_factory.errors import DataError, UnknownNameError, UsageError


def test_rows_of_parts_are_disjoint_and_in_time_order(container):
    parts = [container.rows(name) for name in ("train", "val", "test")]
    assert len(np.unique(np.concatenate(parts))) == sum(map(len, parts))
    ends = [container.index["time_ns"][rows] for rows in parts]
    assert ends[0].max() < ends[1].min() < ends[1].max() < ends[2].min()


def test_scored_rows_are_labelled_and_not_ambiguous(container):
    rows = container.rows("test", scored=True)
    assert container.labels.labelled[rows].all()
    assert len(rows) < len(container.rows("test"))  # the last rows have no vertical barrier inside the data


def test_one_symbol_shares_its_feature_matrix(dataset, container):
    assert np.shares_memory(container.features, dataset.symbols[0].features)


def test_sklearn_arrays_carry_weights_of_mean_one_per_class(container):
    X, y, weight = container.get_sklearn_arrays("train")
    assert X.shape == (len(y), len(COLUMNS))
    assert X.dtype == np.float32
    assert [weight[y == code].mean() for code in np.unique(y)] == pytest.approx([1.0] * len(np.unique(y)))


def test_samples_keep_the_columns_asked_for_in_their_order(container):
    samples = container.samples(container.rows("val"), columns=("rsi_14", "return_1"))
    position = container.feature_names.index("rsi_14")
    assert samples.feature_names == ("rsi_14", "return_1")
    assert np.array_equal(samples.X[:, 0], container.features[container.rows("val"), position])
    with pytest.raises(UnknownNameError, match="Did you mean 'rsi_14'"):
        container.samples(container.rows("val"), columns=("rsi_41",))


def test_row_market_is_known_at_the_close_of_the_row(container):
    rows = container.rows("val")[:5]
    market, bars = container.samples(rows, with_market=True).market, container.markets[0].bars
    assert np.array_equal(market.close, bars.close[container.index["row"][rows]])
    assert market.k_up.tolist() == [2.5] * 5
    assert market.max_bars.tolist() == [60] * 5
    assert np.isnan(market.threshold).all()


def test_row_market_of_a_fixed_horizon_has_a_threshold_and_no_barriers():
    config = DatasetConfig(horizons=(4,), features=COLUMNS, embargo_days="auto", label="fixed_horizon", theta=1.5)
    container = TimeSeriesDataContainer.from_bars(random_walk(3000, 3), horizon=4, config=config)
    rows = container.rows("val")[:5]
    market, bars = container.samples(rows, with_market=True).market, container.markets[0].bars
    returns = np.diff(np.log(bars.close))
    deviations = [returns[row - 100 : row].std(ddof=1) for row in container.index["row"][rows]]
    assert market.threshold == pytest.approx(1.5 * 2 * np.array(deviations))
    assert np.isnan(market.k_up).all()
    assert np.isnan(market.k_down).all()
    assert market.max_bars.tolist() == [4] * 5


def test_a_container_hands_the_labels_session_rule_and_the_source_bars_to_the_simulation():
    settings = {"horizons": (5,), "features": COLUMNS, "embargo_days": "auto", "history_bars": 0}
    source = random_walk(18_000, 3, bar_seconds=60)
    config = DatasetConfig(**settings, bar_size="5min", session_end=True)
    market = TimeSeriesDataContainer.from_bars(source, horizon=5, config=config).markets[0]
    assert market.session_end
    assert market.source is source
    plain = TimeSeriesDataContainer.from_bars(random_walk(3600, 3), horizon=5, config=DatasetConfig(**settings))
    assert not plain.markets[0].session_end
    assert plain.markets[0].source is None


def test_with_split_makes_a_fold_and_leaves_the_original(container):
    fold = container.with_split(np.where(np.arange(len(container)) < 500, 1, 0))
    assert len(fold.rows("val")) == 500
    assert len(container.rows("val")) != 500
    with pytest.raises(DataError, match="codes of -1, 0, 1, 2"):
        container.with_split(np.full(len(container), 7))


def test_row_digest_follows_the_parts_and_not_the_horizon(dataset, container):
    other_horizon = TimeSeriesDataContainer.from_built(dataset, 5)
    assert other_horizon.row_digest() == container.row_digest()
    assert container.with_split(np.zeros(len(container))).row_digest() != container.row_digest()


def test_symbols_keep_their_own_rows_bars_and_prices(two_symbols):
    second = np.flatnonzero(two_symbols.index["symbol_code"] == 1)
    assert two_symbols.symbols == ("SYNTH_A", "SYNTH_B")
    assert two_symbols.index["row"][second[0]] == two_symbols.index["row"][0]
    expected = two_symbols.markets[1].bars.close[two_symbols.index["row"][second]]
    assert np.array_equal(two_symbols.close(second), expected)


def test_a_horizon_that_was_not_built_is_refused(dataset):
    with pytest.raises(UsageError, match="horizon 10 is not in this dataset") as caught:
        TimeSeriesDataContainer.from_built(dataset, 10)
    assert caught.value.help == "it holds: 5, 20"


def test_from_bars_builds_one_horizon_by_default():
    config = DatasetConfig(horizons=(5,), features=COLUMNS, embargo_days="auto")
    container = TimeSeriesDataContainer.from_bars(random_walk(3000, 3), horizon=5, config=config)
    assert container.describe()["parts"]["train"]["rows"] == len(container.rows("train"))


def test_neuralforecast_frame_has_its_three_columns_and_utc_times(container):
    frame = container.get_neuralforecast_df("val")
    assert list(frame.columns[:3]) == ["unique_id", "ds", "y"]
    assert str(frame["ds"].dt.tz) == "UTC"
    assert len(frame) == len(container.rows("val"))


def test_an_unknown_part_is_refused_with_the_nearest(container):
    with pytest.raises(UnknownNameError, match="Did you mean 'train'"):
        container.rows("trian")


def test_a_window_ends_at_its_row_and_reads_the_bars_before_it(container):
    rows = container.rows("val")[:50]
    windows = container.windows(rows, container.feature_names, 20)
    assert windows.shape == (50, 20, len(container.feature_names))
    assert np.array_equal(windows[:][:, -1], container.matrix(rows, container.feature_names))
    assert np.array_equal(
        windows[0][:-1], container.table[container.table_row[rows[0]] - 19 : container.table_row[rows[0]]]
    )


def test_the_first_row_of_all_has_its_whole_history(container):
    longest = container.config.history_bars + 1
    windows = container.windows(np.array([0]), container.feature_names, longest)
    assert np.isfinite(windows[:]).all()
    with pytest.raises(UsageError, match=f"lookback {longest + 1} is longer than the {longest} bars"):
        container.windows(np.array([0]), container.feature_names, longest + 1)


def test_sequences_are_a_view_with_labels_and_weights(container):
    X, y, weight = container.get_pytorch_sequences("train", 12, stride=3)
    rows = container.rows("train", scored=True)[::3]
    assert (X.shape[:2], len(y), len(weight)) == ((len(rows), 12), len(rows), len(rows))
    assert np.array_equal(y, container.labels.label[rows])
    assert X.table.shape[0] < len(rows) * 12 / 3
    with pytest.raises(UsageError, match="symbol_isolated False"):
        container.get_pytorch_sequences("train", 12, symbol_isolated=False)


def test_choosing_columns_chooses_them_in_the_windows_too(container):
    names = container.feature_names[2:0:-1]
    rows = container.rows("train")[:5]
    whole = container.windows(rows, container.feature_names, 4)[:]
    assert np.array_equal(container.windows(rows, names, 4)[:], whole[:, :, [2, 1]])


def test_a_window_holds_bars_of_one_symbol(two_symbols):
    first_of_b = np.flatnonzero(two_symbols.index["symbol_code"] == 1)[:1]
    longest = two_symbols.config.history_bars + 1
    alone = build_dataset([bar_file(random_walk(2500, 2, symbol="SYNTH_B"))], two_symbols.config)
    row = two_symbols.index["row"][first_of_b[0]]
    window = two_symbols.windows(first_of_b, two_symbols.feature_names, longest)[0]
    assert np.array_equal(window, alone.symbols[0].features[row - longest + 1 : row + 1])


def test_label_spans_are_in_time_order_and_know_from_where_a_window_reads(two_symbols):
    rows = two_symbols.rows("train")
    spans = two_symbols.label_spans(rows, lookback=10)
    assert (np.diff(spans.moment) >= 0).all()
    given = rows[spans.order]
    assert spans.moment.tolist() == two_symbols.index["time_ns"][given].tolist()
    assert spans.end.tolist() == two_symbols.labels.scheduled_end_ns[given].tolist()
    own = two_symbols.markets[1].bars.time_ns
    (place,) = np.flatnonzero(given == rows[-1])
    assert spans.reads_from[place] == own[two_symbols.index["row"][rows[-1]] - 9]


def test_label_spans_of_one_symbol_keep_its_order(container):
    spans = container.label_spans(container.rows("train"))
    assert spans.order is None
    assert spans.reads_from.tolist() == spans.moment.tolist()


def test_padded_windows_have_the_bits_of_the_raw_feature_columns_and_reach_back_to_the_first_bar():
    bars = random_walk(3000, 1)
    names = ("open", "high", "low", "close", "volume")
    settings = {"horizons": (5,), "embargo_days": "auto"}
    with_raw, without = (
        TimeSeriesDataContainer.from_bars(bars, horizon=5, config=DatasetConfig(features=columns, **settings))
        for columns in ((*COLUMNS, *names), COLUMNS)
    )
    rows, lookback = np.array([900, 0, 1]), 1000
    windows = without.padded_windows(rows, names, lookback)
    whole = with_raw.windows(rows[:1], names, 257)
    assert windows[0][-257:].tobytes() == whole[0].tobytes()
    first = without.index["row"][0]
    assert np.isnan(windows[1]).all(axis=1).tolist() == [True] * (lookback - first - 1) + [False] * (first + 1)
    assert np.array_equal(windows[1][-first - 1 :, 3], bars.close[: first + 1].astype(np.float32))
    assert without.raw_names == (*names, "utc_day", "utc_minute")
    assert without.inputs(rows, ("close",), 3, padded=True).starts is None


def test_a_padded_window_holds_bars_of_one_symbol(two_symbols):
    rows = np.array([len(two_symbols) - 1, 5, np.flatnonzero(two_symbols.index["symbol_code"] == 1)[0]])
    windows = two_symbols.padded_windows(rows, ("close", "volume"), 5000)
    for row, window in zip(rows, windows[:], strict=True):
        bars = two_symbols.markets[two_symbols.index["symbol_code"][row]].bars
        count = two_symbols.index["row"][row] + 1
        assert np.isnan(window[:-count]).all()
        assert np.array_equal(window[-count:, 0], bars.close[:count].astype(np.float32))
    assert len(two_symbols.padded_windows(rows[:0], ("close",), 7)) == 0


def test_a_computed_column_is_refused_in_a_padded_window(container):
    with pytest.raises(UsageError, match="a padded window cannot hold 'rsi_14'") as caught:
        container.padded_windows(np.array([0]), ("close", "rsi_14"), 10)
    assert caught.value.help == "raw columns of these bars: open, high, low, close, volume, utc_day, utc_minute"


def test_bars_without_volume_have_no_raw_column_of_it():
    bars = random_walk(3000, 1)
    silent = replace(bars, volume=np.zeros(len(bars)))
    config = DatasetConfig(horizons=(5,), features=("return_1", "rsi_14"), embargo_days="auto")
    assert TimeSeriesDataContainer.from_bars(silent, horizon=5, config=config).raw_names == (
        "open",
        "high",
        "low",
        "close",
        "utc_day",
        "utc_minute",
    )


def test_the_market_of_rows_in_any_order_is_that_of_each(two_symbols):
    rows = np.array([len(two_symbols) - 1, 5, len(two_symbols) - 900, 0])
    together = two_symbols.row_market(rows)
    for place, row in enumerate(rows):
        alone = two_symbols.row_market(np.array([row]))
        assert together.close[place] == two_symbols.close(np.array([row]))[0]
        assert (together.atr[place], together.close[place]) == (alone.atr[0], alone.close[0])


def test_the_data_spec_holds_the_label_settings_of_its_horizon():
    barriers = {5: {"k_up": 2.0}, 10: {"k_down": 3.0}}
    config = DatasetConfig.parse(
        {"horizons": [5, 10], "features": COLUMNS, "embargo_days": "auto", "barriers": barriers}
    )
    labels = TimeSeriesDataContainer.from_bars(random_walk(4000, 3), horizon=10, config=config).data_spec["labels"]
    again = DatasetConfig.parse(labels)
    instrument = config.instrument("SYNTH")
    assert again.horizons == (10,)
    assert again.rule(instrument, 10) == config.rule(instrument, 10)


def test_the_container_of_one_symbol_holds_its_rows_of_the_common_one(two_built, tmp_path):
    both = TimeSeriesDataContainer.from_built(two_built, 5)
    folder = write_dataset(two_built, tmp_path / "two", {})
    one = TimeSeriesDataContainer.from_dataset(folder, 5, symbol="SYNTH_B")
    own = both.index["symbol_code"] == 1
    assert (one.symbols, one.symbol) == (("SYNTH_B",), "SYNTH_B")
    assert np.array_equal(one.index["time_ns"], both.index["time_ns"][own])
    assert np.array_equal(one.part, both.part[own])
    assert one.features.tobytes() == both.features[own].tobytes()
    assert set(one.index["symbol_code"]) == {0}
