"""Settings of a dataset: everything between raw bars and the arrays that a model eats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator

from ohlcv_factory.bars.instruments import BarrierRule, Instrument, find_instrument
from ohlcv_factory.bars.load import ReadOptions
from ohlcv_factory.config import IntegerKeys, Settings, setting
from ohlcv_factory.labels.triple_barrier import Entry
from ohlcv_factory.splits.chronological import DEFAULT_EMBARGO_DAYS, PartShares

HORIZONS = (5, 10, 15, 20)
HISTORY_BARS = 256


class BarrierOverride(Settings):
    """What differs from the instrument's barrier rule of a horizon; a field left out keeps the instrument's figure."""

    k_up: float | None = setting(None, "Upper barrier in ATR(14).", gt=0)
    k_down: float | None = setting(None, "Lower barrier in ATR(14).", gt=0)
    max_bars: int | None = setting(None, "Bars to the vertical barrier.", ge=1)


def _checked_horizons(horizons: tuple[int, ...]) -> tuple[int, ...]:
    if not horizons or min(horizons) < 1:
        raise ValueError(f"horizon must be at least 1 bar, got {list(horizons)}")
    if len(set(horizons)) != len(horizons):
        raise ValueError(f"a horizon stands twice: {list(horizons)}")
    return tuple(sorted(horizons))


def _checked_embargo(embargo: float | str) -> float | str:
    if embargo != "auto" and float(embargo) < 0:
        raise ValueError(f"embargo_days must be 'auto' or at least 0, got {embargo}")
    return embargo


class DatasetConfig(Settings):
    """How bars become a dataset. Saved whole in the dataset's manifest."""

    read: ReadOptions = ReadOptions()
    bar_size: str | None = setting(None, "Resample to this size, for example 5min; none keeps the bars as they come.")
    horizons: Annotated[tuple[int, ...], AfterValidator(_checked_horizons)] = setting(
        HORIZONS, "Label horizons in bars."
    )
    barriers: Annotated[dict[int, BarrierOverride], IntegerKeys] = setting(
        {}, "What differs from the instrument's barriers, by horizon."
    )
    entry: Entry = setting("next_open", "Where a label's path starts: the next bar's open, or this bar's close.")
    timeframes: tuple[str, ...] = setting(
        ("15min", "30min", "1h"), "Higher timeframes of the multi-timeframe features."
    )
    features: tuple[str, ...] | None = setting(
        None, "Only these columns of the catalogue; none takes all that the bars carry."
    )
    plugins: tuple[str, ...] = setting((), "Python files that declare features of your own; they are run.")
    history_bars: int = setting(HISTORY_BARS, "Bars before the first eligible row, beyond the warm-up.", ge=0)
    parts: PartShares = PartShares()
    embargo_days: Annotated[float | Literal["auto"], AfterValidator(_checked_embargo)] = setting(
        DEFAULT_EMBARGO_DAYS, "Gap before each border in calendar days; auto: at most 10 % of the earlier part."
    )
    instruments: str | None = setting(None, "Your own instrument table (YAML); it wins over the shipped one.")

    def instrument(self, symbol: str) -> Instrument:
        """The instrument of a symbol, from the user's table where there is one."""
        return find_instrument(symbol, Path(self.instruments) if self.instruments else None)

    def rule(self, instrument: Instrument, horizon: int) -> BarrierRule:
        """The barrier rule of a horizon: the instrument's, with what `barriers` changes."""
        override = self.barriers.get(horizon)
        changed = {key: value for key, value in override.model_dump().items() if value is not None} if override else {}
        if len(changed) == len(BarrierOverride.model_fields):
            return BarrierRule(**changed)
        return instrument.barrier(horizon).model_copy(update=changed)
