from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="foundation models need torch")
pytest.importorskip("kronos_finance", reason="needs the extra foundation")

import checkpoints

from ohlcv_factory.dataset.samples import RowMarket
from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.models._foundation import kronos_bars
from ohlcv_factory.models._foundation.bar_columns import CLOSE
from ohlcv_factory.models._foundation.kronos_bars import Draw, NormalBars, coming_stamps, embedded, encoded, stamps
from ohlcv_factory.models._foundation.shared_past import Places, SharedPast
from ohlcv_factory.models.foundation.kronos import _shares
from ohlcv_factory.models.registry import ModelRegistry

BARS, STEPS, PATHS = 40, 5, 6


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kronos")
    network, tokenizer = folder / "network", folder / "tokenizer"
    return str(checkpoints.kronos(network)), str(checkpoints.kronos_tokenizer(tokenizer))


@pytest.fixture(scope="module")
def backbone(places):
    return ModelRegistry.create("kronos", {"checkpoint": places[0], "tokenizer": places[1]}).ready_backbone()


def windows(rows: int = 2, absent: int = 0):
    draw = np.random.default_rng(0)
    prices = np.exp(np.cumsum(draw.standard_normal((rows, BARS, 5)) * 0.01, axis=1))
    minutes = 5 * np.arange(BARS) + 1000
    clock = np.stack([19_722 + minutes // 1440, minutes % 1440], axis=-1)
    together = np.concatenate([prices, np.broadcast_to(clock, (rows, BARS, 2))], axis=-1)
    together[0, :absent] = np.nan
    return torch.from_numpy(together.astype(np.float32))


@torch.inference_mode()
def test_drawn_tokens_are_those_of_the_reference_that_computes_the_past_again_for_each(backbone):
    network, tokenizer, bars = backbone.network, backbone.tokenizer, windows()
    draw = Draw.of(STEPS, PATHS, seed=3, temperature=0.8, top_p=0.9)
    prices, clock = bars[..., :5], bars[..., 5:]
    normal, here = NormalBars.of(prices), Places.of(~prices[..., CLOSE].isnan())
    tokens = encoded(tokenizer, normal.values, here)
    for ours, theirs in zip(tokens, tokenizer.encode(normal.values, half=True), strict=True):
        assert torch.equal(ours, theirs)
    past, times = SharedPast(network.transformer, here), torch.cat([stamps(clock), coming_stamps(clock, STEPS)], 1)
    context = network.norm(past.begin(embedded(network, tokens, times[:, :BARS])))
    drawn = kronos_bars._drawn_tokens(network, past, context, times[:, BARS:], draw)
    decoded = kronos_bars._decoded(tokenizer, tokens, drawn, here)
    for path in range(PATHS):
        coarse, fine = (torch.cat([known, new[:, path]], 1) for known, new in zip(tokens, drawn, strict=True))
        for step in range(STEPS):
            end = BARS + step
            scores, state = network.decode_s1(coarse[:, :end], fine[:, :end], times[:, :end])
            assert torch.equal(draw.tokens(scores[:, -1:], step, 0)[:, path], coarse[:, end])
            scores = network.decode_s2(state, coarse[:, end : end + 1])
            assert torch.equal(draw.tokens(scores[:, -1:], step, 1)[:, path], fine[:, end])
        whole = tokenizer.decode([coarse, fine], half=True)[:, BARS:]
        torch.testing.assert_close(decoded[:, path], whole, atol=1e-5, rtol=1e-5)


def test_bars_before_the_first_change_nothing(backbone):
    draw, bars = Draw.of(STEPS, PATHS, seed=1, temperature=1.0, top_p=1.0), windows(absent=7)
    assert not torch.isnan(backbone.draw(bars, draw)).any()
    alone = torch.cat([bars[:1, 7:], bars[:1, 7:]])
    torch.testing.assert_close(backbone.draw(bars, draw)[0], backbone.draw(alone, draw)[0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(backbone.embed(bars)[0], backbone.embed(alone)[0], atol=1e-5, rtol=1e-4)


def test_the_code_has_a_gradient_in_the_network_and_none_in_the_tokenizer(places):
    backbone = ModelRegistry.create("kronos", {"checkpoint": places[0], "tokenizer": places[1]}).ready_backbone()
    backbone.embed(windows()).sum().backward()
    assert backbone.network.embedding.emb_s1.weight.grad.abs().sum() > 0
    assert not any(weight.requires_grad for weight in backbone.tokenizer.parameters())


def test_dates_are_those_of_the_calendar_over_leap_years_and_centuries():
    days = torch.arange(-40_000, 60_000, 13)
    month, of_month = kronos_bars.month_and_day(days)
    known = [date(1970, 1, 1) + timedelta(days=int(day)) for day in days]
    assert month.tolist() == [each.month for each in known]
    assert of_month.tolist() == [each.day for each in known]
    clock = torch.tensor([[[19_723.0, 59.0]]])  # 2024-01-01, a Monday
    assert stamps(clock).tolist() == [[[59, 0, 0, 1, 1]]]


def test_coming_bars_follow_at_the_smallest_distance_between_known_ones():
    clock = torch.tensor([[[19_722.0, 1425.0], [19_722.0, 1430.0], [19_722.0, 1438.0]]])  # 2023-12-31, a Sunday
    assert coming_stamps(clock, 2).tolist() == [[[3, 0, 0, 1, 1], [8, 0, 0, 1, 1]]]


def test_draws_follow_the_shares_and_leave_out_the_unlikely():
    scores = torch.log(torch.tensor([[[0.6, 0.3, 0.1]]]))
    counts = torch.bincount(Draw.of(1, 1000, 0, 1.0, 1.0).tokens(scores, 0, 0)[0], minlength=3)
    assert np.abs(counts.numpy() - [600, 300, 100]).max() <= 1  # one draw in each of a thousand equal strata
    kept = torch.bincount(Draw.of(1, 900, 0, 1.0, 0.9).tokens(scores, 0, 0)[0], minlength=3)
    assert kept.tolist() == [600, 300, 0]


def test_paths_are_counted_by_each_rows_own_rule():
    up, flat = np.full((1, 2, 4), 0.05), np.zeros((1, 2, 4))
    drawn = np.stack([up, flat], axis=1)  # (row, path, step, price): one path rises at once, one stands still
    one = np.ones(1)
    steps = np.array([2])
    barriers = RowMarket(100 * one, one, 2 * one, 2 * one, np.nan * one, steps)
    assert _shares(drawn, barriers).tolist() == [[0.0, 0.5, 0.5]]
    horizon = RowMarket(100 * one, one, np.nan * one, np.nan * one, 0.02 * one, steps)
    assert _shares(-drawn, horizon).tolist() == [[0.5, 0.5, 0.0]]


def test_a_tokenizer_that_is_not_known_or_does_not_fit_is_refused(places, tmp_path):
    with pytest.raises(UsageError, match="the tokenizer of"):
        ModelRegistry.create("kronos", {"checkpoint": places[0]}).check_ready()
    other = checkpoints.kronos_tokenizer(tmp_path / "other", s1_bits=3, s2_bits=3, group_size=3)
    model = ModelRegistry.create("kronos", {"checkpoint": places[0], "tokenizer": str(other)})
    with pytest.raises(DataError, match="tokens of 3 and 3 bits, the network reads 4 and 4"):
        model.ready_backbone()


def test_a_checkpoint_of_another_model_is_refused(places, tmp_path):
    swapped = ModelRegistry.create("kronos", {"checkpoint": places[1], "tokenizer": places[1]})
    with pytest.raises(DataError, match="n_layers"):
        swapped.check_ready()
    wide = checkpoints.kronos(tmp_path / "wide", d_model=32)
    (wide / "config.json").write_text((tmp_path / "wide" / "config.json").read_text().replace("32", "16", 1))
    narrow = ModelRegistry.create("kronos", {"checkpoint": str(wide), "tokenizer": places[1]})
    with pytest.raises(DataError):
        narrow.ready_backbone()
