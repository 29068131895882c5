"""The leaks of `planted.py`, by name: importing that file would declare its features."""

from __future__ import annotations

LEAKS = ("whole_series_wavelet", "left_labelled_hour", "global_z_score", "centred_mean", "next_return_in_noise")
