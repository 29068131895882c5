"""Does choosing the best of many configurations choose anything? The probability of backtest overfitting, by CSCV.

Bailey, Borwein, López de Prado and Zhu (2017): days are cut into S blocks; on every half of them the best configuration
is chosen, and looked up on the other half. Where choosing is worthless it lies below the median half of the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ohlcv_factory.errors import DataError, UsageError

BLOCKS = 16
MAX_BLOCKS = 20
"""184,756 halves; the table of sums grows with their number times the configurations."""
MIN_BLOCK_ROWS = 2
CHUNK = 4096
"""Halves that are scored at once."""
TINY = 1e-14
"""A variance below this share of the mean square is none."""


@dataclass(frozen=True)
class Overfitting:
    """What became of the configuration that was best on each half of the days."""

    probability: float
    """Share of halves whose best configuration lies below the median on the other half."""
    loss_probability: float
    """Share of halves whose best configuration loses on the other half."""
    logits: np.ndarray
    """`(halves,)`: log(w / (1 - w)), w the relative rank of that configuration on the other half; below 0: overfitted."""
    chosen: np.ndarray
    """`(halves,)`: its Sharpe ratio, per row, on the half that chose it."""
    elsewhere: np.ndarray
    """`(halves,)`: the same on the other half."""
    slope: float | None
    """Of `elsewhere` over `chosen`: 1 keeps what was promised, 0 nothing, below 0 a better promise was worse."""


def backtest_overfitting(daily: np.ndarray, *, blocks: int = BLOCKS) -> Overfitting:
    """PBO of N configurations on T sessions: net P&L `(T, N)`, rows in time order.

    Raises UsageError (2) for an odd number of blocks or one outside 2 to 20, DataError (65) for a table that is
    transposed (more configurations than sessions) or too small (under 2 sessions per block, under 2 configurations).
    """
    daily = _checked(daily, blocks)
    sums, squares, rows = _block_sums(daily, blocks)
    halves = _halves(blocks)
    parts = [_scored(half, sums, squares, rows) for half in np.array_split(halves, -(-len(halves) // CHUNK))]
    rank, chosen, elsewhere = (np.concatenate(column) for column in zip(*parts, strict=True))
    logits = np.log(rank / (1 - rank))
    return Overfitting(
        probability=float((logits < 0).mean()),
        loss_probability=float((elsewhere < 0).mean()),
        logits=logits,
        chosen=chosen,
        elsewhere=elsewhere,
        slope=_slope(chosen, elsewhere),
    )


def _checked(daily: np.ndarray, blocks: int) -> np.ndarray:
    if blocks % 2 or not 2 <= blocks <= MAX_BLOCKS:
        raise UsageError(f"blocks must be even, 2 to {MAX_BLOCKS}, got {blocks}.", help=f"the usual number is {BLOCKS}")
    daily = np.asarray(daily, dtype=np.float64)
    if daily.ndim == 2 and daily.shape[1] > len(daily):
        raise DataError(
            f"PBO got more configurations than sessions, shape {daily.shape}: the table is transposed.",
            help="one row per session, one column per configuration",
        )
    if daily.ndim != 2 or daily.shape[1] < 2 or len(daily) < MIN_BLOCK_ROWS * blocks:
        raise DataError(
            f"PBO needs a table (sessions, configurations) of at least {MIN_BLOCK_ROWS * blocks} sessions for {blocks} "
            f"blocks and 2 configurations, got shape {daily.shape}.",
            help="give a longer record, or fewer blocks",
        )
    if not np.isfinite(daily).all():
        row, column = np.argwhere(~np.isfinite(daily))[0]
        raise DataError(
            f"PBO needs finite P&L, got {daily[row, column]} at ({row}, {column}).", help="drop that column"
        )
    return daily


def _block_sums(daily: np.ndarray, blocks: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sums and sums of squares `(blocks, N)` and rows `(blocks,)` of contiguous blocks; the first ones take the rest."""
    pieces = np.array_split(daily, blocks)
    sums = np.stack([piece.sum(axis=0) for piece in pieces])
    squares = np.stack([(piece**2).sum(axis=0) for piece in pieces])
    return sums, squares, np.array([len(piece) for piece in pieces], dtype=np.float64)


def _halves(blocks: int) -> np.ndarray:
    """Which blocks choose, 0/1 `(halves, blocks)`: every way to take half of them."""
    places = np.array(list(combinations(range(blocks), blocks // 2)))
    halves = np.zeros((len(places), blocks))
    np.put_along_axis(halves, places, 1.0, axis=1)
    return halves


def _scored(
    half: np.ndarray, sums: np.ndarray, squares: np.ndarray, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Relative rank elsewhere, Sharpe ratio where chosen and elsewhere, `(h,)` each, of the best of each half."""
    inside, outside = (_sharpe(side @ sums, side @ squares, (side @ rows)[:, None]) for side in (half, 1.0 - half))
    best = np.argmax(inside, axis=1)[:, None]
    own, other = (np.take_along_axis(table, best, axis=1) for table in (inside, outside))
    rank = (outside < other).sum(axis=1) + ((outside == other).sum(axis=1) + 1) / 2  # ties share their mean rank
    return rank / (outside.shape[1] + 1), own[:, 0], other[:, 0]


def _sharpe(sums: np.ndarray, squares: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Mean over deviation, not annualised; 0 without variation, so that standing still is never chosen over a gain."""
    mean = sums / count
    variance = (squares / count - mean**2) * count / (count - 1)
    varies = variance > TINY * squares / count
    return np.where(varies, mean / np.sqrt(np.where(varies, variance, 1.0)), 0.0)


def _slope(chosen: np.ndarray, elsewhere: np.ndarray) -> float | None:
    spread = chosen - chosen.mean()
    total = float(spread @ spread)
    return float(spread @ elsewhere / total) if total > 0 else None
