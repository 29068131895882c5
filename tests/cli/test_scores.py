from __future__ import annotations

import numpy as np
import pytest

from ohlcv_factory.cli.scores import score_table
from ohlcv_factory.evaluation.classification import classification_scores

TRADING = dict.fromkeys(("sharpe_interval", "sharpe_ratio", "annualized_return", "max_drawdown", "num_trades"))


def evaluation(truth: list[int]) -> dict:
    codes = np.array(truth)
    classes = classification_scores(codes, codes, None, np.ones(len(codes)))
    return {"model_name": "m", "classification": classes, "trading": TRADING, "baselines": {}, "thresholds": {}}


def test_44_a_class_missing_in_the_scored_rows_is_warned_about():
    assert "warning: no scored row is long: averages over classes take short, neutral" in score_table(
        evaluation([0, 1])
    )


@pytest.mark.parametrize("truth", [[0, 1, 2], [2, 1, 0, 0]])
def test_all_classes_need_no_warning(truth):
    assert "warning" not in score_table(evaluation(truth))
