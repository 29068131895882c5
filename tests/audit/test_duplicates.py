from __future__ import annotations

from dataclasses import replace

import numpy as np

from ohlcv_factory.audit.duplicates import RUN_BARS, duplicated_rows
from ohlcv_factory.bars.schema import COLUMNS


def found(container):
    return {violation.feature: violation.size for violation in duplicated_rows(container)}


def test_an_ordinary_dataset_has_none(container):
    assert found(container) == {}


def test_a_bar_that_stands_in_two_parts_is_caught(container):
    train, val = container.rows("train")[:3], container.rows("val")[:3]
    index = container.index.copy()
    index[val] = index[train]
    assert found(replace(container, index=index))["bar"] == 3


def test_rows_with_the_same_features_are_caught(container):
    train, val = container.rows("train")[:5], container.rows("val")[:5]
    table = container.table.copy()
    table[container.table_row[val]] = table[container.table_row[train]]
    assert found(replace(container, table=table)) == {"features": 5}


def test_a_stretch_of_bars_that_comes_again_is_caught(container):
    first, again = (container.index["row"][container.rows(part)[100]] for part in ("train", "val"))
    length = 50
    bars = container.markets[0].bars
    copied = {name: getattr(bars, name).copy() for name in COLUMNS}
    for values in copied.values():
        values[again : again + length] = values[first : first + length]
    market = replace(container.markets[0], bars=replace(bars, **copied))
    assert found(replace(container, markets=(market,))) == {"bars": length - RUN_BARS + 1}


def test_a_price_that_stands_still_is_no_copy(container):
    bars = container.markets[0].bars
    still = {name: np.full(len(bars), 100.0) for name in ("open", "high", "low", "close")}
    market = replace(container.markets[0], bars=replace(bars, **still, volume=np.zeros(len(bars))))
    table = np.zeros_like(container.table)
    assert found(replace(container, markets=(market,), table=table)) == {}


def test_rows_outside_of_all_parts_do_not_count(container):
    train, gap = container.rows("train")[:3], np.flatnonzero(container.part == -1)[:3]
    index = container.index.copy()
    index[gap] = index[train]
    assert "bar" not in found(replace(container, index=index))
