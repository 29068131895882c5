"""A causal transformer on many continuations of one past: the past is computed once, each continuation adds its own tokens.

The blocks are Kronos' own (`norm1`, `self_attn`, `norm2`, `ffn`), called with keys and values that are kept; the library's
loop computes the whole past again for every token of every continuation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

KeysValues = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Places:
    """Where the tokens of a past stand: a row whose series is shorter begins with absent ones."""

    position: Tensor
    """int64 `(rows, tokens)`: 0 at the first token that is there."""
    present: Tensor
    """bool `(rows, tokens)`."""

    @classmethod
    def of(cls, present: Tensor) -> Places:
        """The places of tokens of which some are absent, on the left."""
        return cls((present.cumsum(1) - 1).clamp(min=0), present)

    @property
    def visible(self) -> Tensor:
        """Which token sees which, bool `(rows, 1, tokens, tokens)`: itself and those before it that are there."""
        count = self.present.shape[1]
        earlier = torch.ones(count, count, dtype=torch.bool, device=self.present.device).tril()
        own = torch.eye(count, dtype=torch.bool, device=self.present.device)
        return ((earlier & self.present[:, None, :]) | own)[:, None]

    def next(self, step: int) -> Tensor:
        """Position of the `step`-th coming token, int64 `(rows, 1, 1)`."""
        return (self.position[:, -1] + 1 + step)[:, None, None]


class SharedPast:
    """Keys and values of one stack of blocks: of the past `(rows, …)`, and of each continuation `(rows, samples, …)`."""

    def __init__(self, blocks: Sequence[Any], places: Places) -> None:
        self.blocks, self.places = list(blocks), places
        self.past: list[KeysValues] = []
        self.own: list[KeysValues | None] = [None] * len(self.blocks)

    def begin(self, x: Tensor) -> Tensor:
        """The past `(rows, tokens, width)` through all blocks; differentiable."""
        for block in self.blocks:
            attention = block.self_attn
            query, key, value = projected(attention, block.norm1(x))
            query, key = (rotated(attention, each, self.places.position[:, None]) for each in (query, key))
            self.past.append((key, value))
            mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=self.places.visible)
            x = after_attention(block, x, mixed.transpose(1, 2).flatten(2))
        return x

    def extend(self, x: Tensor, step: int) -> Tensor:
        """The `step`-th coming token of every continuation, `(rows, samples, width)`, through all blocks."""
        for layer, block in enumerate(self.blocks):
            attention = block.self_attn
            query, key, value = projected(attention, block.norm1(x))
            query, key = (rotated(attention, each, self.places.next(step)) for each in (query, key))
            self.own[layer] = appended(self.own[layer], key, value)
            mixed = over_past_and_own(query, self.past[layer], self.own[layer], self.places.present)
            x = after_attention(block, x, mixed.transpose(1, 2).flatten(2))
        return x


def projected(attention: Any, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values `(rows, heads, tokens, width of a head)` of `(rows, tokens, width)`."""
    shape = (attention.n_heads, attention.head_dim)
    query, key, value = (
        layer(x).unflatten(-1, shape).transpose(1, 2)
        for layer in (attention.q_proj, attention.k_proj, attention.v_proj)
    )
    return query, key, value


def rotated(attention: Any, x: Tensor, position: Tensor) -> Tensor:
    """Queries or keys turned by their positions (Su et al. 2021), as the library turns them."""
    angles = position[..., None] * attention.rotary.inv_freq  # (…, half of a head)
    cosine, sine = (torch.cat([each, each], -1) for each in (angles.cos(), angles.sin()))
    first, second = x.chunk(2, -1)
    return x * cosine + torch.cat([-second, first], -1) * sine


def after_attention(block: Any, x: Tensor, mixed: Tensor) -> Tensor:
    """The rest of a block: attention's output beside its input, then the feed-forward layers."""
    x = x + block.self_attn.resid_dropout(block.self_attn.out_proj(mixed))
    return x + block.ffn(block.norm2(x))


def appended(known: KeysValues | None, key: Tensor, value: Tensor) -> KeysValues:
    """Keys and values of a continuation's tokens so far, `(rows, heads, samples, tokens, width of a head)`."""
    key, value = key.unsqueeze(3), value.unsqueeze(3)
    return (key, value) if known is None else (torch.cat([known[0], key], 3), torch.cat([known[1], value], 3))


def over_past_and_own(query: Tensor, past: KeysValues, own: KeysValues | None, present: Tensor) -> Tensor:
    """Attention of each continuation's newest token `(rows, heads, samples, width)` to the past and to its own tokens."""
    scale = 1 / math.sqrt(query.shape[-1])
    ahead = query @ past[0].transpose(-2, -1) * scale  # (row, head, sample, token of the past)
    ahead = ahead.masked_fill(~present[:, None, None], -torch.inf)
    if own is None:
        return ahead.softmax(-1) @ past[1]
    mine = (own[0] @ query.unsqueeze(-1)).squeeze(-1) * scale  # (row, head, sample, own token)
    weights = torch.cat([ahead, mine], -1).softmax(-1)
    count = ahead.shape[-1]
    return weights[..., :count] @ past[1] + (weights[..., None, count:] @ own[1]).squeeze(-2)
