"""The scores again by year, by trading session and by how much the market moved: is it one regime that carries them?

The P&L of a bar belongs to the group of that bar, a trade to the group in which it began. A group is known before it is
entered: year and session by the clock, volatility by the ATR at the close before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ohlcv_factory.dataset.market import SymbolMarket
from ohlcv_factory.evaluation import confusion
from ohlcv_factory.evaluation.classification import (
    calibration_error,
    class_scores,
    direction_scores,
    log_loss,
    reliability,
)
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.evaluation.sharpe import sharpe_ratio
from ohlcv_factory.evaluation.trading import Portfolio, TradeResult
from ohlcv_factory.features.calendar import in_hours
from ohlcv_factory.storage.formats import jsonable

SESSIONS = ("asia", "london", "london and ny", "ny", "outside")
REGIMES = ("calm", "usual", "wild")
UNKNOWN = -1
"""Code of a bar without an ATR."""


@dataclass(frozen=True)
class VolatilityCuts:
    """Two levels of ATR / close per symbol, which part the training rows into three equal groups."""

    levels: Mapping[int, tuple[float, float]]
    """By symbol code."""

    @classmethod
    def fit(cls, index: np.ndarray, markets: Sequence[SymbolMarket]) -> VolatilityCuts:
        """Terciles over some rows of INDEX_DTYPE, the training rows."""
        levels = {}
        for code in np.unique(index["symbol_code"]).tolist():
            rows = index["row"][index["symbol_code"] == code]
            low, high = np.nanquantile(_relative_atr(markets[code])[rows], [1 / 3, 2 / 3])
            levels[code] = (float(low), float(high))
        return cls(levels)

    def regime(self, market: SymbolMarket, code: int) -> np.ndarray:
        """The regime at the close of each bar, int64 `(n,)`; -1 without an ATR, or for a symbol that was not fitted."""
        relative = _relative_atr(market)
        if code not in self.levels:
            return np.full(len(relative), UNKNOWN)
        found = np.searchsorted(self.levels[code], relative, side="right")
        return np.where(np.isfinite(relative), found, UNKNOWN)


def _relative_atr(market: SymbolMarket) -> np.ndarray:
    return np.asarray(market.atr / market.bars.close)


@dataclass(frozen=True)
class Grouping:
    """One way to divide rows and bars, by names."""

    names: tuple[str, ...]
    rows: np.ndarray
    """`(n,)` position in `names` of each prediction, -1 for none."""
    bars: tuple[np.ndarray, ...]
    """The same of each simulated bar, by traded symbol."""


def groupings(
    predictions: Predictions, portfolio: Portfolio, markets: Sequence[SymbolMarket], cuts: VolatilityCuts
) -> dict[str, Grouping]:
    """Rows and bars by year of their session, by session and by volatility."""
    codes = _traded_codes(predictions)
    names = _year_names(markets, codes)
    return {
        "year": _grouping(names, predictions, portfolio, {code: _years(markets[code], names) for code in codes}),
        "session": _grouping(SESSIONS, predictions, portfolio, {code: _sessions(markets[code]) for code in codes}),
        "volatility": _grouping(
            REGIMES, predictions, portfolio, {code: cuts.regime(markets[code], code) for code in codes}, delay=1
        ),
    }


def _traded_codes(predictions: Predictions) -> list[int]:
    """Symbol codes in the order of a portfolio's results."""
    return predictions.codes.tolist()  # type: ignore[no-any-return]


def _grouping(
    names: tuple[str, ...],
    predictions: Predictions,
    portfolio: Portfolio,
    by_bar: Mapping[int, np.ndarray],
    delay: int = 0,
) -> Grouping:
    """`by_bar` holds every symbol's group at each of its bars; P&L takes that of `delay` bars before."""
    rows = np.full(len(predictions), UNKNOWN)
    for code, groups in by_bar.items():
        own = predictions.index["symbol_code"] == code
        rows[own] = groups[predictions.index["row"][own]]
    bars = tuple(
        _of_path(result, groups, delay) for result, groups in zip(portfolio.results, by_bar.values(), strict=True)
    )
    return Grouping(names, rows, bars)


def _of_path(result: TradeResult, groups: np.ndarray, delay: int) -> np.ndarray:
    places = np.arange(result.first_row, result.first_row + len(result.net)) - delay
    return np.where(places >= 0, groups[np.maximum(places, 0)], UNKNOWN)


def _calendar_year(day: np.ndarray) -> np.ndarray:
    return day.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970


def _year_names(markets: Sequence[SymbolMarket], codes: Sequence[int]) -> tuple[str, ...]:
    years = np.unique(np.concatenate([_calendar_year(markets[code].session_day) for code in codes]))
    return tuple(map(str, years.tolist()))


def _years(market: SymbolMarket, names: tuple[str, ...]) -> np.ndarray:
    return np.searchsorted(np.array(names, dtype=np.int64), _calendar_year(market.session_day))


def _sessions(market: SymbolMarket) -> np.ndarray:
    """Position in SESSIONS of each bar, by the hours of the stock markets."""
    asia, london, ny = (in_hours(market.bars.time_ns, centre) for centre in ("asia", "london", "ny"))
    return np.select([asia, london & ny, london, ny], [0, 2, 1, 3], default=4)


def breakdown(
    predictions: Predictions,
    portfolio: Portfolio,
    markets: Sequence[SymbolMarket],
    cuts: VolatilityCuts,
    uniqueness: np.ndarray,
) -> dict[str, dict[str, dict[str, Any]]]:
    """Scores of each group that has rows or bars, JSON-ready: year, session and volatility -> name -> numbers."""
    table = groupings(predictions, portfolio, markets, cuts)
    return {name: _scores(grouping, predictions, portfolio, uniqueness) for name, grouping in table.items()}


def _scores(
    grouping: Grouping, predictions: Predictions, portfolio: Portfolio, uniqueness: np.ndarray
) -> dict[str, dict[str, Any]]:
    scores, curves = {}, reliability_table(predictions, grouping)
    for code, name in enumerate(grouping.names):
        rows = np.flatnonzero((grouping.rows == code) & predictions.scored)
        inside = [bars == code for bars in grouping.bars]
        if len(rows) or any(each.any() for each in inside):
            decided = _decision_scores(predictions.take(rows), uniqueness[rows])
            scores[name] = jsonable({**decided, **curves[name], **_money_scores(portfolio, inside)})
    return scores


def _decision_scores(predictions: Predictions, uniqueness: np.ndarray) -> dict[str, Any]:
    truth, decision = predictions.truth, predictions.decision
    direction = direction_scores(truth, decision, uniqueness)
    return {
        "rows": len(truth),
        "macro_f1": class_scores(confusion.confusion_matrix(truth, decision))["macro_f1"],
        "log_loss": log_loss(truth, predictions.probabilities) if len(truth) else None,
        **{name: direction[name] for name in DIRECTION_SCORES},
    }


DIRECTION_SCORES = (
    "direction_hit_rate", "direction_hit_rate_interval", "independent_rate", "direction_edge", "direction_rows",
)  # fmt: skip


def _money_scores(portfolio: Portfolio, inside: Sequence[np.ndarray]) -> dict[str, Any]:
    """Net P&L of the bars of a group (per symbol), over the sessions that have such bars, and trades that begin in it."""
    count = len(portfolio.results)
    days, net, trades = [], [], 0
    for result, own in zip(portfolio.results, inside, strict=True):
        days.append(result.bar_session[own])
        net.append(result.net[own])
        trades += int(own[result.trades["entry_row"] - result.first_row].sum())
    sessions, place = np.unique(np.concatenate(days), return_inverse=True)
    daily = np.bincount(place, np.concatenate(net), minlength=len(sessions)) / count
    return {
        "sharpe_ratio": sharpe_ratio(daily, max(result.sessions_per_year for result in portfolio.results)),
        "total_return": float(daily.sum()),
        "num_trades": trades,
        "sessions": len(sessions),
    }


def reliability_table(predictions: Predictions, grouping: Grouping) -> dict[str, dict[str, Any]]:
    """Calibration of each group on its scored rows: `ece`, and the `reliability` bins that hold any."""
    table = {}
    for code, name in enumerate(grouping.names):
        own = predictions.take(np.flatnonzero((grouping.rows == code) & predictions.scored))
        bins = reliability(own.truth, own.decision, own.probabilities)
        table[name] = {"ece": calibration_error(bins), "reliability": [each for each in bins if each["rows"]]}
    return table
