from __future__ import annotations

import math
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="backbones need torch")

from ohlcv_factory.errors import DataError
from ohlcv_factory.models._foundation.backbone import (
    STATES,
    BackboneShape,
    SeriesBackbone,
    ascending_levels,
    deviation,
    log_closes,
    market_state,
    rolled_out,
    whole_number,
)

NAN = float("nan")


class Echo(SeriesBackbone):
    """Forecasts two steps: the last value moved by 1, 2 and 3, in the wrong order."""

    shape = BackboneShape((0.1, 0.5, 0.9), 4, 2, 1, layers=1, hidden=1, heads=1, patch_bars=1)

    def quantiles(self, series):
        assert series.shape[1] <= 4
        steps = torch.tensor([3.0, 1.0, 2.0])
        return series[:, -1:, None] + torch.stack([steps, 2 * steps])

    def encode(self, series):
        return series[:, -1:]


def test_log_closes_are_relative_to_the_last_close_and_absent_where_there_is_no_bar():
    close = torch.tensor([[NAN, 100.0, 200.0], [4.0, 2.0, 1.0]])
    expected = torch.tensor([[NAN, math.log(0.5), 0.0], [math.log(4), math.log(2), 0.0]])
    torch.testing.assert_close(log_closes(close), expected, equal_nan=True)


def test_a_forecast_is_of_log_returns_and_sorted():
    bars = torch.tensor([[[50.0], [100.0]]])
    assert Echo().forecast(bars, 1).tolist() == [[[1.0, 2.0, 3.0]]]
    assert Echo().forecast(bars, 2).tolist() == [[[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]]]


def test_a_longer_forecast_begins_with_the_shorter_one_and_feeds_each_quantile_back():
    series = torch.zeros(2, 3)
    long = rolled_out(Echo().quantiles, Echo.shape, series, 3)
    assert long.shape == (2, 3, 3)
    assert torch.equal(long[:, :2], rolled_out(Echo().quantiles, Echo.shape, series, 2))
    # after two steps the three paths stand at 6, 2 and 4; each goes on by 3, 1 and 2
    together = torch.tensor([9.0, 7, 8, 5, 3, 4, 7, 5, 6])
    torch.testing.assert_close(long[0, 2], torch.quantile(together, torch.tensor([0.1, 0.5, 0.9])))


def test_rolling_out_is_that_of_the_chronos_library(tmp_path):
    import checkpoints

    from ohlcv_factory.models._foundation.checkpoint import open_checkpoint
    from ohlcv_factory.models.registry import ModelRegistry

    model = ModelRegistry.create("chronos_bolt", threads=1)
    folder = checkpoints.chronos_bolt(tmp_path / "bolt", context=64, steps=8)
    backbone = model.load_backbone(open_checkpoint(str(folder), model.kinds[0]))
    from chronos import BaseChronosPipeline

    pipeline = BaseChronosPipeline.from_pretrained(str(folder), device_map="cpu", dtype=torch.float32)
    series = torch.randn(3, 60, generator=torch.Generator().manual_seed(1)).cumsum(1)
    series[1, :30] = NAN
    with pytest.warns(UserWarning, match="prediction length"):
        theirs = pipeline.predict(series, prediction_length=20)
    with torch.inference_mode():
        torch.testing.assert_close(
            rolled_out(backbone.quantiles, backbone.shape, series, 20), theirs.transpose(1, 2), atol=1e-4, rtol=1e-3
        )


def test_the_market_state_by_hand():
    returns = torch.tensor([0.02, -0.01, 0.03, -0.02])
    series = torch.cat([torch.zeros(1), returns.cumsum(0)])
    series = (series - series[-1])[None]
    state = market_state(series)[0]
    spread = returns.var(correction=0).sqrt()
    assert len(state) == STATES == 8
    torch.testing.assert_close(state[:5], torch.log(spread).expand(5))  # all spans hold these four returns
    scale = series.var(correction=0).sqrt()
    torch.testing.assert_close(state[5], torch.log(scale))
    torch.testing.assert_close(state[6], -series.mean() / scale)
    torch.testing.assert_close(state[7], returns.sum() / (spread * 4))


def test_the_market_state_looks_at_the_bars_that_are_there_and_knows_each_span():
    generator = torch.Generator().manual_seed(0)
    series = torch.randn(1, 300, generator=generator).cumsum(1) / 100
    series = series - series[:, -1:]
    padded = torch.cat([torch.full((1, 50), NAN), series], 1)
    torch.testing.assert_close(market_state(padded), market_state(series))
    spans = [series.diff(dim=1)[0, -bars:].var(correction=0).sqrt().log() for bars in (4, 16, 64, 256)]
    torch.testing.assert_close(market_state(series)[0, :4], torch.stack(spans))


def test_a_still_market_and_a_single_bar_have_a_state():
    still = market_state(torch.zeros(1, 40))
    assert still.isfinite().all() and still[0, 0] == math.log(1e-8)
    lone = torch.full((1, 40), NAN)
    lone[0, -1] = 0.0
    assert market_state(lone).isfinite().all()
    assert deviation(torch.tensor([[NAN, NAN]])).item() == pytest.approx(1e-8)


@pytest.mark.parametrize("value", [None, 0, -3, 2.0, True, "8", 1 << 30])
def test_a_size_that_is_none_is_refused_by_its_key(value):
    with pytest.raises(DataError, match=r"says d_model: .*, wanted a whole number from 1 to 4096"):
        whole_number({"d_model": value}, "d_model", 4096)
    assert whole_number({"d_model": 64}, "d_model", 4096) == 64


@pytest.mark.parametrize("levels", [None, [], [0.5], [0.1, 0.1], [0.9, 0.1], [0.0, 0.5], [0.1, "x"], 0.5])
def test_levels_that_do_not_rise_between_0_and_1_are_refused(levels):
    with pytest.raises(DataError, match="wanted ascending shares"):
        ascending_levels({"quantiles": levels}, "quantiles")
    assert ascending_levels({"quantiles": [0.1, 0.5]}, "quantiles") == (0.1, 0.5)


def test_the_estimate_grows_with_layers_tokens_and_what_each_token_answers():
    one = BackboneShape((0.1, 0.9), 64, 8, 4, layers=1, hidden=8, heads=2, patch_bars=16)
    numbers = 5 * (10 * 4 + 3 * 8) + 3 * 2 * 5**2  # 64 bars are four tokens and one more
    assert (one.training_bytes(64), one.forecast_bytes(64)) == (4 * numbers, 2 * 4 * numbers)
    deep = replace(one, layers=6, answers=30)
    assert deep.training_bytes(64) == 6 * one.training_bytes(64)
    assert deep.forecast_bytes(64) == one.forecast_bytes(64) + 4 * 4 * 5 * 30


def test_the_estimate_of_memory_lies_near_what_autograd_keeps(tmp_path):
    import checkpoints

    from ohlcv_factory.models._foundation.checkpoint import open_checkpoint
    from ohlcv_factory.models.registry import ModelRegistry

    sizes = {"d_model": 64, "d_kv": 16, "d_ff": 128, "num_heads": 4}
    folders = {"chronos_bolt": checkpoints.chronos_bolt(tmp_path / "bolt", context=512, **sizes)}
    wide = {"hidden_size": 64, "intermediate_size": 64, "head_dim": 16}
    folders["timesfm"] = checkpoints.timesfm(tmp_path / "timesfm", context=512, **wide)
    for name, folder in folders.items():
        model = ModelRegistry.create(name, {"checkpoint": str(folder)}, threads=1)
        backbone = model.load_backbone(open_checkpoint(str(folder), model.kinds[0]))
        kept = (_kept_bytes(backbone, 4) - _kept_bytes(backbone, 2)) / 2
        assert 0.5 < backbone.shape.training_bytes(512) / kept < 4.0, name


def _kept_bytes(backbone, windows: int) -> int:
    kept: dict[int, int] = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    bars = torch.rand(windows, 512, 1) + 1
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        code = backbone.embed(bars)
    del code
    return sum(kept.values())
