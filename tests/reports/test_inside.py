from __future__ import annotations

import re
import shutil

import numpy as np
import pytest
from resealed import reseal

from ohlcv_factory.reports.inside import HEAT_FEATURES, inside_models
from ohlcv_factory.reports.reported_run import ReportedRun
from ohlcv_factory.reports.run_report import write_run_report
from ohlcv_factory.studies.finished_runs import FinishedRun
from ohlcv_factory.training.explanation import PartExplanation, write_explanation

SHOWN = [{"symbol": "SYNTHA", "time": "2024-01-08T23:20:00Z"}, {"symbol": "SYNTHB", "time": "2024-01-09T00:00:00Z"}]
BARS = list(range(-4, 1))


def weights(axes, values):
    facts = {"part": "val", "rows": 512, "shown": SHOWN, "items": {"w": {"kind": "weights", "axes": axes}}}
    return PartExplanation({"w": np.asarray(values, np.float32)}, facts)


def decomposition():
    """Two features around a mean of 10; the blocks take nothing out of `clv` and everything out of `return_1`."""
    axes = {"feature": ["clv", "return_1"], "bar": BARS}
    parts = {"window": [1.0, 3.0], "rest": [1.0, 0.0], "trend": [0.0, 2.0], "seasonality": [0.0, 1.0]}
    arrays = {}
    for name, values in parts.items():
        moved = np.tile(np.array(values, np.float32)[None, :, None], (2, 1, 5))
        mean, spread = np.full((2, 5), 10.0, np.float32), np.array(values, np.float32)
        arrays |= {name: 10 + moved, f"{name}_mean": mean, f"{name}_spread": spread}
    items = {name: {"kind": "series", "axes": axes} for name in parts}
    return PartExplanation(arrays, {"part": "val", "rows": 512, "shown": SHOWN, "items": items})


def drawn(said):
    return inside_models([ReportedRun("tft", "s0", None, {}, {}, {}, {}, {}, [], said)])


def test_weights_of_features_are_ranked_by_their_mean_over_bars():
    html = drawn(weights({"bar": [-1, 0], "feature": ["clv", "rsi_14"]}, [[0.1, 0.9], [0.3, 0.7]]))
    assert re.findall(r'<th scope="row">(\w+)</th>', html) == ["rsi_14", "clv"]
    assert re.findall(r"<td>(\d+\.\d)\u202f%</td>", html) == ["80.0", "20.0"]


def test_attention_over_bars_has_a_line_per_head_and_their_mean():
    html = drawn(weights({"head": [1, 2], "bar": [-1, 0, 1]}, [[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]]))
    assert re.findall(r"<title>([^<]+)</title>", html) == ["head 1", "head 2", "mean of heads"]
    assert "−1 bars</text>" in html
    assert "the step ahead</text>" in html


def test_attention_among_features_is_a_map_of_those_that_get_most():
    shares = np.full((1, 20, 20), 0.01)
    shares[:, :, 7] = 0.81
    names = [f"column_{i}" for i in range(20)]
    html = drawn(weights({"layer": [1], "feature": names, "seen feature": names}, shares))
    assert html.count('<th scope="row">') == HEAT_FEATURES
    assert html.count('style="--share:1.00">81.0</td>') == HEAT_FEATURES
    assert "8 column_7</th>" in html
    assert "The 14 of 20 features that get most; even attention would be 5.0\u202f%." in html


def test_windows_are_drawn_for_the_feature_with_the_smallest_rest_less_the_mean_of_each_part():
    html = drawn(decomposition())
    assert "Windows of return_1, the feature of which the blocks leave the smallest rest." in html
    assert re.findall(r"<h4>([^<]+)</h4>", html) == ["SYNTHA, 2024-01-08 23:20", "SYNTHB, 2024-01-09 00:00"]
    assert re.findall(r"<title>(\w+)</title>", html)[:4] == ["trend", "seasonality", "rest", "window"]
    assert re.findall(r">(\d\.\d\d)</text>", html)[:4] == ["0.00", "1.00", "2.00", "3.00"]
    rows = re.findall(r'<tr><th scope="row">(\w+)</th>(.*?)</tr>', html)
    assert rows[0] == ("return_1", "<td>2.000</td><td>1.000</td><td>0.000</td><td>3.000</td>")
    assert rows[1][0] == "clv"


def test_what_cannot_be_drawn_is_named():
    assert "Not drawn: w; see metrics/explanation.npz." in drawn(weights({"expert": [1, 2]}, [0.5, 0.5]))


def test_runs_that_say_nothing_have_no_section(run, tmp_path):
    html = write_run_report([run], tmp_path / "page.html").read_text(encoding="utf-8")
    assert 'id="inside"' not in html


@pytest.mark.parametrize("name", ["return_1", "<script>"])
def test_the_section_stands_behind_the_importances_and_names_are_inert(run, tmp_path, name):
    folder = shutil.copytree(run.path, tmp_path / "copy_h5_20260101T000000Z_abc")
    write_explanation(folder, weights({"known feature": [name, "clv"]}, [0.4, 0.6]))
    reseal(folder)
    html = write_run_report([FinishedRun.read(folder)], tmp_path / "page.html").read_text(encoding="utf-8")
    assert html.index('id="importance"') < html.index('id="inside"') < html.index('id="training"')
    assert f'<th scope="row">{name.replace("<", "&lt;").replace(">", "&gt;")}</th>' in html
    assert "<script" not in html
