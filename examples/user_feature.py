"""Features of one's own in a file: `--plugin examples/user_feature.py` takes them wherever columns are named.

Run as a script it checks them. `ohlcv-factory audit features --bars BARS.csv --plugin examples/user_feature.py` looks
for the future in them on your bars; `data build`, `train` and `predict` take the same flag. A file that is named is run,
so name only files that you trust; its digest is kept with the dataset and the run.
"""

from __future__ import annotations

import numpy as np

from ohlcv_factory import feature
from ohlcv_factory.features.feature import FeatureInputs
from ohlcv_factory.features.kernels import lagged


@feature("gap_{}", over=(1, 5), formula="log(open / close[{}])", lookback=int, unit="log ratio")
def gap(inputs: FeatureInputs, bars: int) -> np.ndarray:
    """How far the bar opened from the close of some bars ago."""
    return np.log(inputs.open / lagged(inputs.close, bars))


@feature(
    "close_in_day_range", formula="place of close in the high and low of 288 bars, 0.5 without a range", lookback=287
)
def close_in_day_range(inputs: FeatureInputs) -> np.ndarray:
    """0 at the lowest low, 1 at the highest high; each window ends at its bar."""
    out = np.full(len(inputs), np.nan)
    if len(inputs) >= 288:
        low, high = (np.lib.stride_tricks.sliding_window_view(side, 288) for side in (inputs.low, inputs.high))
        bottom, width = low.min(axis=1), high.max(axis=1) - low.min(axis=1)
        out[287:] = np.where(width > 0, (inputs.close[287:] - bottom) / np.where(width > 0, width, 1.0), 0.5)
    return out


def main() -> None:
    """Hold each feature to the contract on synthetic bars."""
    from ohlcv_factory.bars.sessions import session_calendar
    from ohlcv_factory.bars.synthetic import random_walk
    from ohlcv_factory.features.catalogue import find
    from ohlcv_factory.testing import check_feature

    for name in ("gap_1", "gap_5", "close_in_day_range"):
        check_feature(find(name), random_walk(3000, seed=1), session_calendar("cme_equity"))
        print(f"{name} keeps the contract")


if __name__ == "__main__":
    main()
