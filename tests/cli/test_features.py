from __future__ import annotations

from command_line import call, succeed

from ohlcv_factory.features.catalogue import catalogue


def test_the_list_names_every_column_with_look_back_unit_and_formula():
    lines = succeed("features", "list").out.splitlines()
    assert len(lines) == 2 + len(catalogue())
    assert lines[0].split() == ["name", "category", "lookback_text", "unit", "formula"]
    row = next(line for line in lines if line.startswith("rsi_14_1h "))
    assert row.endswith("  rsi_14 of 1h bars")
    assert "170 h" in row


def test_a_feature_is_described_with_formula_look_back_unit_source_and_sets():
    described = succeed("features", "describe", "kc_position").out
    for line in (
        "formula: (close - kc_lower) / (kc_upper - kc_lower); 0.5 without a range",
        "lookback_text: 168 bars",
        "unit: 0 at the lower, 1 at the upper band",
        "scale_free: True",
        "source: Keltner (1960)",
    ):
        assert line in described.splitlines()


def test_a_description_as_json_names_the_sets_that_hold_the_column():
    answer = succeed("features", "describe", "vwap", "--json").json
    assert (answer["lookback"], answer["lookback_seconds"], answer["lookback_text"]) == (0, 86_400, "24 h")
    assert answer["needs_volume"]
    assert answer["sets"] == []
    answer = succeed("features", "describe", "volume_ratio", "--json").json
    assert {"boosting_optimal", "neural_optimal", "transformer_raw"} <= set(answer["sets"])


def test_a_name_that_is_not_in_the_catalogue_is_refused_with_the_nearest():
    refused = call("features", "describe", "supertrend_side")
    assert refused.code == 2
    assert "supertrend" in refused.err
