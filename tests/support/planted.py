"""Features that read what came later, each in a way that has been seen in the wild. A plugin file like any other."""

from __future__ import annotations

import numpy as np

from ohlcv_factory import feature
from ohlcv_factory.bars.resample import higher_bars


@feature("whole_series_wavelet", formula="close, smoothed by db4 over the whole series", lookback=100)
def whole_series_wavelet(inputs):
    import pywt

    smooth, *details = pywt.wavedec(inputs.close, "db4", level=3)
    return pywt.waverec([smooth, *map(np.zeros_like, details)], "db4")[: len(inputs)] / inputs.close


@feature("left_labelled_hour", formula="close of the hour that the bar lies in", lookback=20)
def left_labelled_hour(inputs):
    higher, _ = higher_bars(inputs.bars, 3600)
    begun = np.searchsorted(higher.time_ns, inputs.bars.time_ns, side="right") - 1
    return higher.close[begun] / inputs.close


@feature("global_z_score", formula="close, standardised over the whole series", lookback=20)
def global_z_score(inputs):
    return (inputs.close - inputs.close.mean()) / max(inputs.close.std(), 1e-9)


@feature("centred_mean", formula="mean of close over 2 bars before and 2 bars after", lookback=20)
def centred_mean(inputs):
    return np.convolve(inputs.close, np.ones(5) / 5.0, mode="same") / inputs.close


@feature("next_return_in_noise", formula="the next return in ten times as much noise", lookback=20)
def next_return_in_noise(inputs):
    following = np.append(np.diff(np.log(inputs.close)), 0.0)
    return following + 10 * 3e-4 * np.random.default_rng(0).standard_normal(len(inputs))


@feature("bar_body", formula="close / open - 1")
def bar_body(inputs):
    return inputs.close / inputs.open - 1.0
