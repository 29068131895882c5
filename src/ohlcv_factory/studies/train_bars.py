"""One symbol before the val part, to be labelled by any barriers: what a search for barriers tries them on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ohlcv_factory.bars.instruments import BarrierRule
from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.dataset.build import Dataset, SymbolData
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.labelling import HorizonLabels, label_symbol
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.errors import UsageError
from ohlcv_factory.labels.classes import CLASS_COUNT, CLASS_NAMES
from ohlcv_factory.labels.paths import TIMED_OUT
from ohlcv_factory.storage.digests import value_digest


@dataclass(frozen=True)
class TrainBars:
    """One symbol of a dataset as it was before the val part began, to be labelled by any barriers."""

    dataset: Dataset
    symbol: SymbolData
    horizon: int

    @classmethod
    def of(cls, dataset: Dataset, symbol: str, horizon: int) -> TrainBars:
        """The bars of a symbol before the first moment of val, and the finer ones below them."""
        whole = next(each for each in dataset.symbols if each.bars.symbol == symbol)
        border = dataset.borders_ns[0]
        bars = _before(whole.bars, border)
        count = len(bars)
        cut = replace(
            whole,
            bars=bars,
            features=whole.features[:count],
            atr=whole.atr[:count],
            part=whole.part[:count],
            source=None if whole.source is None else _before(whole.source, border),
        )
        return cls(dataset, cut, horizon)

    @cached_property
    def rule(self) -> BarrierRule:
        """The barriers that the dataset has. Raises UsageError (2) where its labels have none."""
        rule = self.dataset.config.rule(self.symbol.instrument, self.horizon)
        if not isinstance(rule, BarrierRule):
            raise UsageError(
                "fixed_horizon labels have no barriers.", where="label", help="build it with label: triple_barrier"
            )
        return rule

    def labels(self, rule: BarrierRule) -> HorizonLabels:
        """Labels of every bar by a rule."""
        config, one = self._config(rule), self.symbol
        return label_symbol(one.bars, one.source, one.instrument, config)[self.horizon]

    def container(self, rule: BarrierRule) -> TimeSeriesDataContainer:
        """The train rows with the labels of a rule: the same rows for every rule."""
        labels = {self.horizon: self.labels(rule)}
        fingerprint = value_digest(
            {"dataset": self.dataset.fingerprint, "symbol": self.symbol.bars.symbol, **rule.plain()}
        )
        built = replace(
            self.dataset,
            config=self._config(rule),
            symbols=(replace(self.symbol, labels=labels),),
            fingerprint=fingerprint,
        )
        return TimeSeriesDataContainer.from_built(built, self.horizon)

    def facts(self, rule: BarrierRule) -> dict[str, Any]:
        """What a rule makes of the train rows: class shares, mean bars to the end, time-outs, double touches."""
        labels, rows = self.labels(rule), np.flatnonzero(self.symbol.part == 0)
        path, known = labels.path, rows[labels.path.labelled[rows]]
        clear = known[~path.ambiguous[known]]
        shares = np.bincount(path.label[clear], minlength=CLASS_COUNT) / max(1, len(clear))
        return {
            **rule.plain(),
            "rows": len(known),
            "class_shares": dict(zip(CLASS_NAMES, shares.tolist(), strict=True)),
            "bars_to_end": float(path.bars_to_hit[known].mean()),
            "timed_out": float((path.touch[known] == TIMED_OUT).mean()),
            "ambiguous": float(path.ambiguous[known].mean()),
        }

    def _config(self, rule: BarrierRule) -> DatasetConfig:
        changed = {"horizons": [self.horizon], "barriers": {self.horizon: rule.plain()}}
        return DatasetConfig.parse({**self.dataset.config.plain(), **changed}, where="barriers")


def _before(bars: Bars, border_ns: int) -> Bars:
    return bars.head(int(np.searchsorted(bars.time_ns, border_ns)))
