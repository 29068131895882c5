"""The page on features of one's own runs, and its example of a set resolves."""

from __future__ import annotations

import re

from own_features import own_features

from ohlcv_factory.config import parse_yaml
from ohlcv_factory.features.sets import SetRules, feature_set, select

PAGE = "docs/own_features.md"


def test_the_page_runs_and_its_set_holds_what_it_declared(pytestconfig, run_document, capsys) -> None:
    text = re.search(r"```yaml\n(.*?)```", (pytestconfig.rootpath / PAGE).read_text(), re.DOTALL)[1]
    with own_features():
        run_document(PAGE)
        own = {name: SetRules.parse(rules) for name, rules in parse_yaml(text, where=PAGE).values.items()}
        columns = select(feature_set("my_set", own))
    assert {"open_gap_1", "open_gap_5", "rsi_14", "rsi_14_1h", "log_volume_change"} <= set(columns)
    assert "williams_r" not in columns
    assert "features SYNTH: 10 pass" in capsys.readouterr().out
