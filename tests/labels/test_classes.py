from __future__ import annotations

import numpy as np
import pytest

from ohlcv_factory.errors import DataError
from ohlcv_factory.labels.classes import class_codes, class_words


def test_users_signs_become_codes():
    assert class_codes(np.array([-1, 0, 1])).tolist() == [0, 1, 2]
    assert class_codes(np.array([0, 1, 2])).tolist() == [0, 1, 2]


@pytest.mark.parametrize("bad", [[0, 3], [-1, 2], [0.5, 1.0], [np.nan, 1.0], [-99, 0, 1]])
def test_anything_else_is_refused_with_the_values(bad):
    with pytest.raises(DataError, match=r"labels must be 0, 1, 2 or -1, 0, 1; found"):
        class_codes(np.array(bad))


def test_codes_have_words():
    assert class_words(np.array([2, 0, 1])).tolist() == ["long", "short", "neutral"]
