"""Hypothesis draws the same cases in every run, so that a change is what turns a test red.

`HYPOTHESIS_PROFILE=search` draws new ones.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("repeat", derandomize=True)
settings.register_profile("search", derandomize=False, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeat"))
