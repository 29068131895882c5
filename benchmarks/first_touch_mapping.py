"""Row first_touch: forecasts of 60 bars to P(short), P(neutral), P(long), 2,000 paths, against every path in NumPy.

NumPy maps all paths of a row through the quantile function of every bar and looks for the first touch, on 40 of the
2,000 rows, scaled to all. Both draw the same paths of a walk of constant volatility; how far apart their probabilities
are at most stands in results.json.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from common import Bench, Line, Timing, Work, against, required, serve

ROWS, ROWS_BY_PATH = 2_000, 40
BARS, PATHS = 60, 2_000
SEED = 7


def lines(bench: Bench) -> list[Line]:
    """The lines of this row."""
    found = bench.take_turns(__file__, ["deciles", "all_quantiles", "numpy"])
    theirs = found["numpy"] if isinstance(found["numpy"], str) else scaled(found["numpy"])
    work, reach = f"first touch of {ROWS} forecasts, {BARS} bars, {PATHS} paths", "<= 1 ms CPU per row"
    nine, more = found["deciles"], required(found["all_quantiles"], work)
    by_path = f"NumPy ({ROWS_BY_PATH} rows, scaled)"
    return [
        against("first_touch", f"{work}{per_row(nine)}", nine, reach, by_path, theirs),
        Line("first_touch", f"the same with 21 quantiles, high and low{per_row(more)}", more, reach),
    ]


def per_row(timing: Timing | str) -> str:
    """Milliseconds of CPU per row."""
    return "" if isinstance(timing, str) else f" ({1000 * timing.cpu_seconds / ROWS:.3f} ms CPU each)"


def scaled(timing: Timing) -> Timing:
    """The times of all rows by those of some."""
    scale = ROWS / ROWS_BY_PATH
    return replace(timing, wall_seconds=timing.wall_seconds * scale, cpu_seconds=timing.cpu_seconds * scale)


def deciles(folder: Path) -> Work:
    """A case: nine quantiles, as Chronos-Bolt and TimesFM give them, closes decide."""
    import numpy as np

    return _mapping(np.arange(1, 10) / 10, "closes")


def all_quantiles(folder: Path) -> Work:
    """A case: the 21 quantiles of Chronos-2, highs and lows decide."""
    import numpy as np

    return _mapping(np.array([0.01, *np.arange(1, 20) / 20, 0.99]), "high_low")


def _mapping(levels: Any, watch: Any) -> Work:
    from ohlcv_factory.models._foundation.first_touch import first_touch_probabilities

    forecast, rule = _forecasts(levels, ROWS)

    def work() -> Any:
        said = first_touch_probabilities(forecast, levels, *rule, paths=PATHS, seed=SEED, watch=watch)
        return lambda: {"mean": said.mean(axis=0).tolist()}

    return work


def numpy(folder: Path) -> Work:
    """A case: every path of every row."""
    import numpy as np

    from ohlcv_factory.models._foundation.first_touch import first_touch_probabilities

    levels = np.arange(1, 10) / 10
    forecast, (up, down, steps) = _forecasts(levels, ROWS_BY_PATH)

    def furthest(said: Any) -> float:
        ours = first_touch_probabilities(forecast, levels, up, down, steps, paths=PATHS, seed=SEED)
        return float(np.abs(said - ours).max())

    def work() -> Any:
        half = np.random.default_rng(SEED).standard_normal((BARS, PATHS // 2)).cumsum(axis=0)
        paths = np.concatenate([half, -half], axis=1) / np.sqrt(np.arange(1, BARS + 1))[:, None]
        said = np.array([_by_path(*row, paths) for row in zip(forecast, up, down, strict=True)])
        return lambda: {"mean": said.mean(axis=0).tolist(), "furthest": furthest(said)}

    return work


def _by_path(quantiles: Any, up: float, down: float, paths: Any) -> list[float]:
    """Shares of the paths `(bars, paths)` of normal scores that meet the lower, no, or the upper barrier first."""
    import numpy as np
    from scipy.special import ndtri

    scores = ndtri(np.arange(1, 10) / 10)
    slope = np.diff(quantiles, axis=1) / np.diff(scores)
    pair = np.clip(np.searchsorted(scores, paths) - 1, 0, len(scores) - 2)
    start, rise = np.take_along_axis(quantiles, pair, 1), np.take_along_axis(slope, pair, 1)
    returns = start + rise * (paths - scores[pair])
    above, below = returns >= up, returns <= down
    first_up, first_down = (np.where(met.any(axis=0), met.argmax(axis=0), BARS) for met in (above, below))
    return [float(each.mean()) for each in (first_down < first_up, first_down == first_up, first_up < first_down)]


def _forecasts(levels: Any, rows: int) -> tuple[Any, tuple[Any, Any, Any]]:
    """The quantiles of random walks `(rows, bars, levels)`, and barriers that about a third of the paths meet."""
    import numpy as np
    from scipy.special import ndtri

    rng = np.random.default_rng(0)
    sigma, bars = np.exp(rng.normal(-7, 0.5, rows)), np.arange(1, BARS + 1)
    drift = rng.normal(0, 0.1, rows) * sigma
    spread = sigma[:, None, None] * np.sqrt(bars)[:, None] * ndtri(levels)
    up, down = rng.uniform(0.5, 1.5, (2, rows)) * sigma * np.sqrt(BARS)
    return drift[:, None, None] * bars[:, None] + spread, (up, -down, np.full(rows, BARS))


if __name__ == "__main__":
    serve({"deciles": deciles, "all_quantiles": all_quantiles, "numpy": numpy})
