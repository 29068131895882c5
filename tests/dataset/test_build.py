from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from markets import COLUMNS, bar_file

from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.build import build_dataset, scheduled_end_ns
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.errors import DataError, UnknownNameError, UsageError

BAR_NS = 300 * 1_000_000_000


def test_eligible_rows_start_after_warm_up_and_history(dataset):
    assert dataset.first_eligible == dataset.warm_up_bars + 256
    symbol = dataset.symbols[0]
    assert (symbol.part[: dataset.first_eligible] == -1).all()
    assert symbol.part[dataset.first_eligible] == 0
    assert np.isfinite(symbol.features[dataset.first_eligible :]).all()


def test_no_label_of_any_horizon_reaches_a_later_part(dataset):
    symbol = dataset.symbols[0]
    time = symbol.bars.time_ns
    for labels in symbol.labels.values():
        ends = time[labels.path.end_row]
        for part, border in enumerate(dataset.borders_ns):
            assert (ends[symbol.part == part] < border).all()


def test_scheduled_ends_beyond_the_data_are_extrapolated():
    bars = random_walk(10, 0)
    ends = scheduled_end_ns(bars, 3)
    assert ends[6] == bars.time_ns[9]
    assert ends[9] == bars.time_ns[9] + 3 * BAR_NS


def test_the_same_bars_and_settings_have_the_same_fingerprint(dataset, config):
    again = build_dataset([bar_file(random_walk(4000, 1))], config)
    other_bars = build_dataset([bar_file(random_walk(4000, 2))], config)
    other_settings = build_dataset([bar_file(random_walk(4000, 1))], config.model_copy(update={"entry": "close"}))
    assert again.fingerprint == dataset.fingerprint
    assert len({dataset.fingerprint, other_bars.fingerprint, other_settings.fingerprint}) == 3


def test_pinned_borders_stay_when_bars_are_added(config):
    whole = bar_file(random_walk(4400, 1))
    start = build_dataset([bar_file(whole.bars.head(4000))], config)
    pinned = build_dataset([whole], config, pins=start.pins)
    free = build_dataset([whole], config)
    assert (pinned.borders_ns, pinned.embargo_ns) == (start.borders_ns, start.embargo_ns)
    assert pinned.borders_ns != free.borders_ns
    assert (pinned.symbols[0].part[4000:] == 2).all()
    assert pinned.fingerprint != free.fingerprint


def test_known_feature_rows_are_taken_over(config):
    bars = random_walk(4400, 1)
    start = build_dataset([bar_file(bars.head(4000))], config)
    known = {"SYNTH": start.symbols[0].features}
    continued = build_dataset([bar_file(bars)], config, pins=start.pins, known_features=known)
    anew = build_dataset([bar_file(bars)], config, pins=start.pins)
    assert continued.symbols[0].features.tobytes() == anew.symbols[0].features.tobytes()


def test_the_source_bars_of_a_resampled_dataset_count_in_its_fingerprint():
    settings = DatasetConfig(
        horizons=(5,), features=COLUMNS, embargo_days="auto", history_bars=0, bar_size="5min", timeframes=()
    )
    source = random_walk(15_000, 4, bar_seconds=60)
    middle = source.close.copy()
    middle[2] = (source.high[2] + source.low[2]) / 2  # inside its bar: the five-minute bars stay as they are
    other = replace(source, close=middle)
    first, second = (build_dataset([bar_file(bars)], settings) for bars in (source, other))
    assert np.array_equal(first.symbols[0].bars.close, second.symbols[0].bars.close)
    assert first.symbols[0].source is source
    assert first.fingerprint != second.fingerprint


def test_unknown_symbols_are_traded_at_declared_generic_costs(dataset):
    assert any("generic costs of 2 basis points" in note for note in dataset.warnings)


def test_columns_that_the_bars_cannot_carry_are_left_out_and_listed():
    bars = random_walk(4000, 1)
    silent = type(bars)(**{**bars.__dict__, "volume": np.zeros(len(bars))})
    dataset = build_dataset([bar_file(silent)], DatasetConfig(horizons=(5,), features=COLUMNS, embargo_days="auto"))
    assert "volume_ratio" not in dataset.feature_names
    assert "volume" in dataset.left_out["volume_ratio"]


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"horizons": (7,)}, UsageError, "horizon 7 is not offered"),
        ({"features": ("rsi_41",)}, UnknownNameError, "Unknown feature 'rsi_41'. Did you mean 'rsi_14'?"),
        ({"embargo_days": 30.0}, DataError, "the gap eats part"),
        (
            {"history_bars": 3000},
            DataError,
            r"have 4000 bars, need at least \d+ = \d+ warm-up \+ 3000 history \+ 15 to .* 1334",
        ),
    ],
)
def test_what_cannot_be_built_is_refused(change, error, text):
    settings = {"horizons": (5,), "features": COLUMNS, "embargo_days": "auto", **change}
    with pytest.raises(error, match=text):
        build_dataset([bar_file(random_walk(4000, 1))], DatasetConfig(**settings))


def test_one_symbol_from_two_files_is_refused():
    with pytest.raises(UsageError, match="comes from two files"):
        build_dataset([bar_file(random_walk(2000, 1))] * 2, DatasetConfig())


def test_bars_of_two_sizes_are_refused():
    files = [
        bar_file(random_walk(2000, 1, symbol="SYNTH_A")),
        bar_file(random_walk(2000, 1, symbol="SYNTH_B", bar_seconds=60)),
    ]
    with pytest.raises(DataError, match="bars of different sizes"):
        build_dataset(files, DatasetConfig())


def test_a_full_barrier_override_opens_a_new_horizon():
    barriers = {7: {"k_up": 1.0, "k_down": 2.0, "max_bars": 14}}
    config = DatasetConfig.parse(
        {"horizons": [7], "barriers": barriers, "features": list(COLUMNS), "embargo_days": "auto"}
    )
    rule = build_dataset([bar_file(random_walk(4000, 1))], config).symbols[0].labels[7].rule
    assert (rule.k_up, rule.k_down, rule.max_bars) == (1.0, 2.0, 14)


def test_one_symbol_of_two_keeps_the_dates_and_has_a_fingerprint_of_its_own(two_built):
    one = two_built.only("SYNTH_B")
    assert [symbol.bars.symbol for symbol in one.symbols] == ["SYNTH_B"]
    assert one.borders_ns == two_built.borders_ns
    assert len({one.fingerprint, two_built.fingerprint, two_built.only("SYNTH_A").fingerprint}) == 3


def test_the_only_symbol_of_a_dataset_is_the_dataset(dataset):
    assert dataset.only("SYNTH") is dataset


def test_a_symbol_with_too_few_rows_in_a_part_is_refused_with_the_arithmetic(two_built):
    short = two_built.symbols[1]
    thin = replace(short, part=np.where(np.arange(len(short.part)) % 9, -1, short.part).astype(np.int8))
    with pytest.raises(DataError, match=r"part '\w+' has \d+ scored rows at horizon 5, at least 200 are needed"):
        replace(two_built, symbols=(two_built.symbols[0], thin)).only("SYNTH_B")
