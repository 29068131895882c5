"""Blocks of the temporal fusion transformer (Lim, Arik, Loeff & Pfister 2021): each may be skipped by its gate."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

NORM_EPS = 1e-3
"""As in the reference."""


class GatedLinear(nn.Module):
    """A gated linear unit: one half of a linear map, scaled by the sigmoid of the other (Dauphin et al. 2017)."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.lin = nn.Linear(width_in, 2 * width_out)

    def forward(self, x: Tensor) -> Tensor:
        """The gated values."""
        return functional.glu(self.lin(x))


class GatedResidual(nn.Module):
    """A gated residual network: two layers that may be skipped, `(batch, [time,] width_in)`; context at every step."""

    def __init__(
        self, width_in: int, hidden: int, width_out: int | None = None, *, context: bool = False, dropout: float = 0.0
    ) -> None:
        super().__init__()
        keeps_width = width_out is None and width_in == hidden
        width_out = width_out or hidden
        self.lin_a, self.lin_i = nn.Linear(width_in, hidden), nn.Linear(hidden, hidden)
        self.lin_c = nn.Linear(hidden, hidden, bias=False) if context else None
        self.glu, self.dropout = GatedLinear(hidden, width_out), nn.Dropout(dropout)
        self.out_proj = nn.Identity() if keeps_width else nn.Linear(width_in, width_out)
        self.norm = nn.LayerNorm(width_out, eps=NORM_EPS)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The gated values, `(batch, [time,] width_out)`; `context` is `(batch, hidden)`."""
        inner = self.lin_a(x)
        if self.lin_c is not None and context is not None:
            inner = inner + self.lin_c(context).unsqueeze(1)
        inner = self.dropout(self.lin_i(functional.elu(inner)))
        return self.norm(self.glu(inner) + self.out_proj(x))


class VariableSelection(nn.Module):
    """A weighted sum of the features' codes; the weights come from all codes of the bar and the context."""

    def __init__(self, features: int, code: int, width: int, dropout: float, *, context: bool) -> None:
        super().__init__()
        joint = GatedResidual(features * code, width, features, context=context, dropout=dropout)
        self.joint_grn = joint if features > 1 else None  # one feature has all the weight
        self.var_grns = nn.ModuleList(GatedResidual(code, width, dropout=dropout) for _ in range(features))

    def forward(self, codes: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The sum `(batch, time, width)` and the weights `(batch, time, features)` of `(batch, time, features, code)`."""
        weights = torch.ones_like(codes[..., 0])
        if self.joint_grn is not None:
            weights = self.joint_grn(codes.flatten(-2), context).softmax(-1)
        values = torch.stack([grn(codes[..., i, :]) for i, grn in enumerate(self.var_grns)], -1)
        return (values @ weights.unsqueeze(-1)).squeeze(-1), weights


class InterpretableAttention(nn.Module):
    """Causal attention whose heads share their values, so that their mean shows where the network looks."""

    def __init__(self, heads: int, width: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.head_width = heads, width // heads
        self.qkv_linears = nn.Linear(width, (2 * heads + 1) * self.head_width, bias=False)
        self.out_proj = nn.Linear(self.head_width, width, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, asking: int) -> tuple[Tensor, Tensor]:
        """What the last `asking` steps read `(batch, asking, width)`, and their attention `(batch, heads, asking, time)`."""
        each = self.heads * self.head_width
        query, key, value = torch.split(self.qkv_linears(x), [each, each, self.head_width], -1)
        query, key = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (query[:, -asking:], key))
        scores = query @ key.transpose(-1, -2) / self.head_width**0.5
        later = torch.ones_like(scores[0, 0], dtype=torch.bool).triu(1 + x.shape[1] - asking)
        attention = scores.masked_fill(later, float("-inf")).softmax(-1)
        return self.out_proj((self.dropout(attention) @ value.unsqueeze(1)).mean(1)), attention


class TemporalDecoder(nn.Module):
    """Static enrichment, attention over the past, and a last transformation, each of which may be skipped."""

    def __init__(self, heads: int, width: int, dropout: float, *, context: bool) -> None:
        super().__init__()
        self.enrichment_grn = GatedResidual(width, width, context=context, dropout=dropout)
        self.attention = InterpretableAttention(heads, width, dropout)
        self.attention_gate, self.attention_ln = GatedLinear(width, width), nn.LayerNorm(width, eps=NORM_EPS)
        self.positionwise_grn = GatedResidual(width, width, dropout=dropout)
        self.decoder_gate, self.decoder_ln = GatedLinear(width, width), nn.LayerNorm(width, eps=NORM_EPS)

    def forward(self, temporal: Tensor, context: Tensor | None = None, asking: int = 1) -> tuple[Tensor, Tensor]:
        """The last `asking` positions of `(batch, time, width)`, and their attention; the cost grows with their number."""
        enriched = self.enrichment_grn(temporal, context)
        read, attention = self.attention(enriched, asking)
        attended = self.attention_ln(self.attention_gate(read) + enriched[:, -asking:])
        decided = self.decoder_gate(self.positionwise_grn(attended)) + temporal[:, -asking:]
        return self.decoder_ln(decided), attention
