"""Kronos as a sampler: whole bars become tokens, coming tokens are drawn one after the other and become bars again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ohlcv_factory.models._foundation.bar_columns import CLOSE, VOLUME
from ohlcv_factory.models._foundation.shared_past import (
    Places,
    SharedPast,
    appended,
    over_past_and_own,
    projected,
)

MOST_DEVIATIONS, LEAST_DEVIATION = 5.0, 1e-5
"""Where the reference clips the normalised bars, and what it adds to their deviation."""
LEAST_PRICE = 1e-6
"""Of a drawn price, as a share of the last close: a random network may draw what no market can."""
MINUTES_PER_DAY, DAYS_PER_WEEK, THURSDAY = 1440, 7, 3
MOST_DAYS = 10_000_000
"""From 1970-01-01: a clock beyond is no clock, and must not stop the other rows of a block."""


@dataclass(frozen=True)
class NormalBars:
    """Windows as Kronos reads them: six columns, normalised over the bars that are there."""

    values: Tensor
    """`(rows, bars, 6)`: open, high, low, close, volume, amount."""
    mean: Tensor
    scale: Tensor
    """`(rows, 1, 6)` both."""
    present: Tensor
    """bool `(rows, bars)`."""

    @classmethod
    def of(cls, bars: Tensor) -> NormalBars:
        """Windows `(rows, bars, columns)` of prices and, where the bars have it, volume; NaN where there is no bar."""
        prices, volume = bars[..., :VOLUME], bars[..., VOLUME : VOLUME + 1]
        volume = volume if volume.shape[-1] else torch.zeros_like(prices[..., :1])
        six = torch.cat([prices, volume, volume * prices.mean(-1, keepdim=True)], -1)
        mean = six.nanmean(1, keepdim=True)
        scale = (six - mean).square().nanmean(1, keepdim=True).sqrt() + LEAST_DEVIATION
        values = ((six - mean) / scale).clamp(-MOST_DEVIATIONS, MOST_DEVIATIONS)
        return cls(values.nan_to_num(0.0), mean, scale, ~bars[..., CLOSE].isnan())


def drawn_returns(network: Any, tokenizer: Any, bars: Tensor, clock: Tensor, draw: Draw) -> Tensor:
    """Drawn bars `(rows, samples, steps, 4)`: log returns of open, high, low and close since the last close.

    `bars` `(rows, bars, columns)` are prices and volume, `clock` `(rows, bars, 2)` the day and minute of each in UTC.
    """
    normal, places = NormalBars.of(bars), Places.of(~bars[..., CLOSE].isnan())
    tokens = encoded(tokenizer, normal.values, places)
    past = SharedPast(network.transformer, places)
    context = network.norm(past.begin(embedded(network, tokens, stamps(clock))))
    coming = coming_stamps(clock, draw.uniforms.shape[0])
    drawn = _drawn_tokens(network, past, context, coming, draw)
    decoded = _decoded(tokenizer, tokens, drawn, places)  # (row, sample, step, 6)
    prices = (decoded * normal.scale[:, None] + normal.mean[:, None])[..., :VOLUME]
    last = bars[:, -1, CLOSE][:, None, None, None]
    return torch.log((prices / last).clamp(min=LEAST_PRICE))


def context_code(network: Any, tokenizer: Any, bars: Tensor, clock: Tensor) -> Tensor:
    """The network's state after the last bar, `(rows, width)`; differentiable in the network, not in the tokens."""
    normal, places = NormalBars.of(bars), Places.of(~bars[..., CLOSE].isnan())
    with torch.no_grad():
        tokens = encoded(tokenizer, normal.values, places)
    past = SharedPast(network.transformer, places)
    return network.norm(past.begin(embedded(network, tokens, stamps(clock))))[:, -1]


@dataclass(frozen=True)
class Draw:
    """What decides which continuations are drawn."""

    uniforms: Tensor
    """`(steps, 2, samples)` in 0 to 1: the same for every row, so that a row's draws do not follow from its neighbours."""
    temperature: float
    top_p: float
    """Share of the probability that may be drawn from, the likeliest tokens first; 1 leaves nothing out."""

    @classmethod
    def of(cls, steps: int, samples: int, seed: int, temperature: float, top_p: float) -> Draw:
        """Uniforms of which every step and token has one in each of `samples` equal strata, in a drawn order."""
        generator = np.random.default_rng(seed)
        order = generator.permuted(np.tile(np.arange(samples), (steps, 2, 1)), axis=-1)
        uniforms = (order + generator.uniform(size=order.shape)) / samples
        return cls(torch.from_numpy(uniforms.astype(np.float32)), temperature, top_p)

    def tokens(self, scores: Tensor, step: int, part: int) -> Tensor:
        """Tokens `(rows, samples)` drawn by the uniforms from scores `(rows, samples or 1, vocabulary)`."""
        shares = (scores / self.temperature).softmax(-1)
        if self.top_p < 1:
            shares = _likeliest(shares, self.top_p)
        reached = shares.cumsum(-1)
        wanted = self.uniforms[step, part].to(scores.device)[None, :, None] * reached[..., -1:]
        reached = reached.expand(-1, wanted.shape[1], -1)
        return (
            torch.searchsorted(reached.contiguous(), wanted.contiguous(), right=True)
            .squeeze(-1)
            .clamp(max=scores.shape[-1] - 1)
        )


def _likeliest(shares: Tensor, top_p: float) -> Tensor:
    """The shares with all but the likeliest set to 0: those whose likelier ones do not reach `top_p` together."""
    ordered, place = shares.sort(-1, descending=True)
    kept = ordered.cumsum(-1) - ordered < top_p
    return torch.zeros_like(shares).scatter(-1, place, ordered * kept)


def stamps(clock: Tensor) -> Tensor:
    """Minute, hour, weekday, day of the month and month, int64 `(…, 5)`, of days and minutes `(…, 2)` in UTC; 0 for NaN."""
    day, minute = clock.nan_to_num(0.0).clamp(-MOST_DAYS, MOST_DAYS).long().unbind(-1)
    return _stamps(day, minute)


def coming_stamps(clock: Tensor, steps: int) -> Tensor:
    """The stamps of the coming bars, int64 `(rows, steps, 5)`, as if no session were to end.

    They follow at the smallest distance between two known bars: that of bars without a break between them.
    """
    total = clock[..., 0].double() * MINUTES_PER_DAY + clock[..., 1]
    between = total.diff(dim=1).nan_to_num(torch.inf)
    least = torch.where(between > 0, between, torch.inf).amin(1, keepdim=True)
    least = torch.where(least.isfinite(), least, 1.0).clamp(max=366 * MINUTES_PER_DAY)
    total = total.clamp(-MOST_DAYS * MINUTES_PER_DAY, MOST_DAYS * MINUTES_PER_DAY)
    ahead = (total[:, -1:] + least * torch.arange(1, steps + 1, device=clock.device)).long()
    return _stamps(ahead // MINUTES_PER_DAY, ahead % MINUTES_PER_DAY)


def _stamps(day: Tensor, minute: Tensor) -> Tensor:
    month, of_month = month_and_day(day)
    minute = minute % MINUTES_PER_DAY
    return torch.stack([minute % 60, minute // 60, (day + THURSDAY) % DAYS_PER_WEEK, of_month, month], -1)


def month_and_day(day: Tensor) -> tuple[Tensor, Tensor]:
    """Month 1 to 12 and day 1 to 31 of days since 1970-01-01, proleptic Gregorian (Hinnant 2014, civil_from_days)."""
    of_era = (day + 719_468) % 146_097
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * of_year + 2) // 153  # month from March on
    return (shifted + 2) % 12 + 1, of_year - (153 * shifted + 2) // 5 + 1


def embedded(network: Any, tokens: tuple[Tensor, Tensor], stamp: Tensor) -> Tensor:
    """Tokens with their times, `(…, tokens, width)`."""
    shape = tokens[0].shape
    flat = [each.flatten(0, -2) for each in tokens]
    together = network.embedding(flat) + network.time_emb(stamp.expand(*shape, 5).flatten(0, -3))
    return network.token_drop(together).unflatten(0, shape[:-1])


def encoded(tokenizer: Any, values: Tensor, places: Places) -> tuple[Tensor, Tensor]:
    """The two tokens of each bar, int64 `(rows, bars)` both."""
    state = SharedPast(tokenizer.encoder, places).begin(tokenizer.embed(values))
    _, _, tokens = tokenizer.tokenizer(tokenizer.quant_embed(state), half=True, collect_metrics=False)
    return tokens[0], tokens[1]


def _drawn_tokens(network: Any, past: SharedPast, context: Tensor, coming: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
    """The two tokens of each coming bar, int64 `(rows, samples, steps)` both."""
    attention, places = network.dep_layer.cross_attn, past.places
    _, key, value = projected(attention, context)
    known, own = (key, value), None  # the reference turns neither queries nor keys here where it draws
    state, found = context[:, -1:], []
    for step in range(len(draw.uniforms)):
        coarse = draw.tokens(network.head(state), step, 0)
        query, _, _ = projected(attention, network.embedding.emb_s1(coarse))
        mixed = over_past_and_own(query, known, own, places.present).transpose(1, 2).flatten(2)
        beside = network.dep_layer.norm(state + attention.out_proj(mixed))
        fine = draw.tokens(network.head.cond_forward(beside), step, 1)
        found.append((coarse, fine))
        x = embedded(network, (coarse[..., None], fine[..., None]), coming[:, None, step : step + 1])[:, :, 0]
        state = network.norm(past.extend(x, step))
        _, key, value = projected(attention, state)
        own = appended(own, key, value)
    coarse_fine = (torch.stack([pair[part] for pair in found], -1) for part in (0, 1))
    return tuple(coarse_fine)  # type: ignore[return-value]


def _decoded(tokenizer: Any, tokens: tuple[Tensor, Tensor], drawn: tuple[Tensor, Tensor], places: Places) -> Tensor:
    """The drawn tokens as normalised bars `(rows, samples, steps, 6)`, after those of the past."""
    past = SharedPast(tokenizer.decoder, places)
    past.begin(tokenizer.post_quant_embed(tokenizer.indices_to_bits(tokens, half=True)))
    bits = tokenizer.post_quant_embed(tokenizer.indices_to_bits(drawn, half=True))  # (row, sample, step, width)
    steps = [tokenizer.head(past.extend(bits[:, :, step], step)) for step in range(bits.shape[2])]
    return torch.stack(steps, 2)
