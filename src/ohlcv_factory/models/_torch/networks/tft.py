"""Temporal fusion transformer: learns which features count at each bar, and which bars count for the decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, Self

import torch
from pydantic import model_validator
from torch import Tensor, nn
from torch.nn import functional

from ohlcv_factory.config import Search, setting
from ohlcv_factory.models._torch.layers import Encoder, GatedLinear
from ohlcv_factory.models._torch.settings import SPECIFICATION, NetworkConfig, figure, refuse_uneven_heads

NORM_EPS = 1e-3
"""As in the reference."""
_COUNTED = "the data's column roles say which columns are static, known in advance or observed"


class TFTConfig(NetworkConfig):
    """Settings of the temporal fusion transformer."""

    lookback: int = figure("lookback", 60, search=Search(30, 120))
    batch_size: int = figure("batch_size", 128)
    max_epochs: int = figure("max_epochs", 50)
    learning_rate: float = figure("learning_rate", 1e-4, search=Search(1e-5, 1e-2, log=True))
    weight_decay: float = figure("weight_decay", 0.01)
    scheduler: Literal["cosine", "plateau", "none"] = figure("scheduler", "plateau")
    warmup_epochs: int = figure("warmup_epochs", 0)
    early_stopping_patience: int = figure("early_stopping_patience", 10)
    hidden_size: int = setting(
        128, "width of every part", ge=1, search=Search(choices=(64, 128, 256)), source=SPECIFICATION
    )
    attention_head_count: int = setting(
        4, "attention heads", ge=1, search=Search(choices=(1, 2, 4, 8)), source=SPECIFICATION
    )
    lstm_layers: int = setting(2, "recurrent layers", ge=1, le=8, search=Search(1, 3), source=SPECIFICATION)
    hidden_continuous_size: int = setting(64, "width of one feature's code", ge=1, source=SPECIFICATION)
    dropout: float = figure("dropout", 0.1, search=Search(0.1, 0.3))

    aliases: ClassVar[dict[str, str]] = {**NetworkConfig.aliases, "reduce_on_plateau_patience": "plateau_patience"}
    refused: ClassVar[dict[str, str]] = {
        **NetworkConfig.refused,
        "quantiles": "the head gives class probabilities",
        "decoder_length": "the decision needs the last position only",
        "max_prediction_length": "the decision needs the last position only",
        "num_static_categorical_features": _COUNTED,
        "num_static_real_features": _COUNTED,
        "num_known_categorical_features": _COUNTED,
        "num_known_real_features": _COUNTED,
        "num_unknown_real_features": _COUNTED,
    }

    @model_validator(mode="after")
    def _fits(self) -> Self:
        refuse_uneven_heads(self.hidden_size, self.attention_head_count)
        return self


class TFTEncoder(Encoder):
    """The last position of a temporal fusion transformer (Lim, Arik, Loeff & Pfister 2021).

    `known` are the positions of the features known in advance (the calendar), `static` those that hold the code of a
    category, the same in all of a window (the symbol), with the number of categories. Known features are read twice:
    with the others at every bar, and alone at one step ahead, as the last bar has them. Static features steer the
    variable selection, the first state of the recurrent layers and the decoder.
    """

    def __init__(
        self, config: TFTConfig, features: int, known: Sequence[int] = (), static: Mapping[int, int] | None = None
    ) -> None:
        super().__init__()
        width, code, dropout = config.hidden_size, config.hidden_continuous_size, config.dropout
        static = dict(static or {})
        self.moving = [column for column in range(features) if column not in static]
        self.known = [self.moving.index(column) for column in known]
        self.codes = FeatureCodes(len(self.moving), code)
        self.context = StaticContext(static, code, width, config.lstm_layers, dropout) if static else None
        self.history_selection = VariableSelection(len(self.moving), code, width, dropout, context=bool(static))
        self.history = nn.LSTM(width, width, config.lstm_layers, batch_first=True)
        if self.known:
            self.ahead_selection = VariableSelection(len(self.known), code, width, dropout, context=bool(static))
            self.ahead = nn.LSTM(width, width, config.lstm_layers, batch_first=True)
        self.gate, self.gate_norm = GatedLinear(width, width), nn.LayerNorm(width, eps=NORM_EPS)
        self.decoder = TemporalDecoder(config.attention_head_count, width, dropout, context=bool(static))
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        """The code of each window, `(batch, width)`."""
        return self._read(x)[0]

    def explain(self, x: Tensor) -> dict[str, Tensor]:
        """The features' weights at each bar, `variable_weights (batch, lookback, features)`, static ones left out; those
        at the step ahead, `known_weights (batch, known)`; and the decision's `attention (batch, heads, steps)`."""
        return self._read(x)[1]

    def _read(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        selection, enrichment, state = self.context(x) if self.context else (None, None, None)
        codes = self.codes(x[..., self.moving])
        chosen, weights = self.history_selection(codes, selection)
        seen, state = self.history(chosen, state)
        shown = {"variable_weights": weights}
        if self.known:
            next_chosen, next_weights = self.ahead_selection(codes[:, -1:, self.known], selection)
            seen = torch.cat([seen, self.ahead(next_chosen, state)[0]], 1)
            chosen = torch.cat([chosen, next_chosen], 1)
            shown["known_weights"] = next_weights[:, 0]
        temporal = self.gate_norm(self.gate(seen) + chosen)
        decided, attention = self.decoder(temporal, enrichment)
        return decided[:, 0], {**shown, "attention": attention[:, :, 0]}


class FeatureCodes(nn.Module):
    """Each feature's value times a learned vector, plus another: `(batch, time, n)` to `(batch, time, n, width)`."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.vector, self.offset = (
            nn.Parameter(nn.init.xavier_normal_(torch.empty(features, width))) for _ in range(2)
        )

    def forward(self, x: Tensor) -> Tensor:
        """The codes."""
        return x.unsqueeze(-1) * self.vector + self.offset


class StaticContext(nn.Module):
    """What the window's categories say: for the selection, for the enrichment, and the first recurrent state."""

    def __init__(self, categories: Mapping[int, int], code: int, width: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.columns, self.layers = list(categories), layers
        self.codes = nn.ModuleList(nn.Embedding(count, code) for count in categories.values())
        self.selection = VariableSelection(len(categories), code, width, dropout, context=False)
        self.contexts = nn.ModuleList(GatedResidual(width, width, dropout=dropout) for _ in range(4))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
        """Contexts `(batch, width)` of selection and enrichment, and the state `(layers, batch, width)` twice."""
        codes = [code(x[:, -1, column].long()) for column, code in zip(self.columns, self.codes, strict=True)]
        static = self.selection(torch.stack(codes, 1).unsqueeze(1))[0][:, 0]
        selection, enrichment, hidden, cell = (context(static) for context in self.contexts)
        return selection, enrichment, (self._repeated(hidden), self._repeated(cell))

    def _repeated(self, state: Tensor) -> Tensor:
        return state.expand(self.layers, -1, -1).contiguous()


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
