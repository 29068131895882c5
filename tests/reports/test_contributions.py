from __future__ import annotations

import re

import numpy as np

from ohlcv_factory.reports.contributions import contribution_tables
from ohlcv_factory.reports.inside import inside_models
from ohlcv_factory.reports.reported_run import ReportedRun
from ohlcv_factory.training.explanation import PartExplanation

AXES = {"class": ["short", "long"], "contribution": ["clv", "rsi_14", "<script>", "(base)"]}
SIZES = np.array([[0.1, 0.5, 0.0, 9.0], [0.3, 0.7, 0.0, 9.0]], np.float32)


def told(items):
    said = PartExplanation(
        {"shap": SIZES[None], "shap_size": SIZES}, {"part": "val", "rows": 512, "shown": [], "items": items}
    )
    return [ReportedRun("lightgbm", "s0", None, {}, {}, {}, {}, {}, [], said)]


def test_features_are_ranked_by_their_mean_size_and_the_base_is_none_of_them():
    html = contribution_tables(told({"shap": {"kind": "contributions", "axes": AXES}}))
    assert re.findall(r'<th scope="row">([\w&;]+)</th>', html) == ["rsi_14", "clv", "&lt;script&gt;"]
    assert re.findall(r"<td>([\d.]+)</td>", html)[:6] == ["0.600", "0.500", "0.700", "0.200", "0.100", "0.300"]
    assert "The first 3 of 3 features, 512 rows" in html


def test_runs_without_contributions_have_no_section_and_contributions_none_among_the_networks():
    assert contribution_tables(told({})) == ""
    assert inside_models(told({"shap": {"kind": "contributions", "axes": AXES}})) == ""
