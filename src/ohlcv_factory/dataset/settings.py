"""Settings of a dataset: everything between raw bars and the arrays that a model eats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, model_validator

from ohlcv_factory.bars.instruments import BarrierRule, Instrument, find_instrument
from ohlcv_factory.bars.load import ReadOptions
from ohlcv_factory.bars.rolls import Rolls
from ohlcv_factory.config import IntegerKeys, Settings, setting
from ohlcv_factory.labels.fixed_horizon import FixedHorizonRule
from ohlcv_factory.labels.paths import Entry
from ohlcv_factory.labels.rules import LabelKind, LabelRule
from ohlcv_factory.splits.chronological import DEFAULT_EMBARGO_DAYS, PartShares

HORIZONS = (5, 10, 15, 20)
HISTORY_BARS = 256
FIXED_HORIZON_KEYS = ("theta", "sigma_bars")


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


def checked_embargo(embargo: float | str) -> float | str:
    """An embargo as it is, for a field of settings. Raises ValueError for a negative one."""
    if embargo != "auto" and float(embargo) < 0:
        raise ValueError(f"embargo_days must be 'auto' or at least 0, got {embargo}")
    return embargo


class DatasetConfig(Settings):
    """How bars become a dataset. Saved whole in the dataset's manifest."""

    read: ReadOptions = ReadOptions()
    bar_size: str | None = setting(None, "Resample to this size, for example 5min; none keeps the bars as they come.")
    rolls: Rolls = Rolls()
    horizons: Annotated[tuple[int, ...], AfterValidator(_checked_horizons)] = setting(
        HORIZONS, "Label horizons in bars."
    )
    barriers: Annotated[dict[int, BarrierOverride], IntegerKeys] = setting(
        {}, "What differs from the instrument's barriers, by horizon."
    )
    label: LabelKind = setting(
        "triple_barrier", "What decides a label: the first barrier touched, or the return after `horizon` bars."
    )
    theta: float | None = setting(
        None, "Threshold of fixed_horizon labels in standard deviations over the horizon; none: 0.5.", gt=0
    )
    sigma_bars: int | None = setting(
        None, "Log returns behind the standard deviation of fixed_horizon labels; none: 100.", ge=2
    )
    cost_aware: bool = setting(False, "A move that does not earn more than both sides cost is labelled neutral.")
    session_end: bool = setting(
        False, "No label whose vertical barrier lies beyond its session, and no position held over a session's end."
    )
    entry: Entry = setting("next_open", "Where a label's path starts: the next bar's open, or this bar's close.")
    timeframes: tuple[str, ...] = setting(
        ("15min", "30min", "1h"), "Higher timeframes of the multi-timeframe features."
    )
    features: tuple[str, ...] | None = setting(
        None, "Only these columns of the catalogue; none takes all that the bars carry."
    )
    plugins: tuple[str, ...] = setting((), "Python files with features or models of your own; they are run.")
    history_bars: int = setting(HISTORY_BARS, "Bars before the first eligible row, beyond the warm-up.", ge=0)
    parts: PartShares = PartShares()
    embargo_days: Annotated[float | Literal["auto"], AfterValidator(checked_embargo)] = setting(
        DEFAULT_EMBARGO_DAYS, "Gap before each border in calendar days; auto: at most 10 % of the earlier part."
    )
    instruments: str | None = setting(None, "Your own instrument table (YAML); it wins over the shipped one.")

    @model_validator(mode="after")
    def _refuse_idle_keys(self) -> Self:
        """A key that could change nothing is refused by name."""
        if self.label == "fixed_horizon" and self.barriers:
            raise ValueError("barriers: fixed_horizon labels have none; set theta and sigma_bars instead")
        for name in FIXED_HORIZON_KEYS:
            if self.label != "fixed_horizon" and getattr(self, name) is not None:
                raise ValueError(f"{name}: only fixed_horizon labels have it, label is {self.label}")
        idle = [horizon for horizon in self.barriers if horizon not in self.horizons]
        if idle:
            raise ValueError(f"barriers.{idle[0]}: this horizon is not built, horizons are {list(self.horizons)}")
        return self

    def instrument(self, symbol: str) -> Instrument:
        """The instrument of a symbol, from the user's table where there is one."""
        return find_instrument(symbol, Path(self.instruments) if self.instruments else None)

    def rule(self, instrument: Instrument, horizon: int) -> LabelRule:
        """The label rule of a horizon; barriers are the instrument's, with what `barriers` changes.

        Raises UsageError (2) where the instrument offers no barriers for that horizon.
        """
        if self.label == "fixed_horizon":
            given = {name: getattr(self, name) for name in FIXED_HORIZON_KEYS if getattr(self, name) is not None}
            return FixedHorizonRule(horizon=horizon, **given)
        override = self.barriers.get(horizon)
        changed = {key: value for key, value in override.model_dump().items() if value is not None} if override else {}
        if len(changed) == len(BarrierOverride.model_fields):
            return BarrierRule(**changed)
        return instrument.barrier(horizon).model_copy(update=changed)

    def label_settings(self, horizon: int) -> dict[str, Any]:
        """What decides the label rule of one horizon, whatever the symbol: `DatasetConfig.parse` takes it, JSON-ready."""
        plain = self.plain()
        barriers = {key: values for key, values in plain["barriers"].items() if int(key) == horizon}
        return {"horizons": [horizon], "barriers": barriers} | {
            name: plain[name] for name in ("label", *FIXED_HORIZON_KEYS)
        }
