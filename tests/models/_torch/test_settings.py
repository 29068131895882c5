from __future__ import annotations

from typing import Any

import pytest

from ohlcv_factory.config import Search
from ohlcv_factory.errors import UsageError
from ohlcv_factory.models._torch.settings import NetworkConfig, figure


class ShortConfig(NetworkConfig):
    lookback: int = figure("lookback", 16, source="a test", search=Search(8, 32))


def test_a_models_own_figure_keeps_rule_and_help_and_names_its_source() -> None:
    field, shared = ShortConfig.model_fields["lookback"], NetworkConfig.model_fields["lookback"]
    assert (field.default, shared.default) == (16, 60)
    assert field.description == shared.description
    assert field.json_schema_extra["source"] == "a test"
    assert field.json_schema_extra["search"]["high"] == 32
    with pytest.raises(UsageError, match="greater than or equal to 2"):
        ShortConfig.parse({"lookback": 1})


@pytest.mark.parametrize(
    "name", ["lookback", "sequence_length", "seq_len", "backcast_length", "encoder_length", "context_length"]
)
def test_the_window_has_one_field_under_all_its_names(name: str) -> None:
    assert ShortConfig.parse({name: 24}) == ShortConfig(lookback=24)


@pytest.mark.parametrize(
    "values", [{"seq_len": 24, "lookback": 24}, {"lookback": 24, "seq_len": 24}, {"seq_len": 8, "context_length": 9}]
)
def test_one_field_under_two_names_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="both are given"):
        ShortConfig.parse(values)


def test_keys_that_cannot_act_are_refused_with_the_reason() -> None:
    with pytest.raises(UsageError, match="mixed_precision cannot act here: write precision"):
        NetworkConfig.parse({"mixed_precision": True})
