"""Temporal fusion transformer: learns which features count at each bar, and which bars count for the decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

import torch
from pydantic import model_validator
from torch import Tensor, nn

from ohlcv_factory.config import Search, setting
from ohlcv_factory.dataset.samples import InputSpec
from ohlcv_factory.models._torch.fusion import NORM_EPS, GatedLinear, GatedResidual, TemporalDecoder, VariableSelection
from ohlcv_factory.models._torch.layers import Encoder
from ohlcv_factory.models._torch.model import TorchModel
from ohlcv_factory.models._torch.settings import SPECIFICATION, NetworkConfig, figure, refuse_uneven_heads
from ohlcv_factory.models.explanation import Meaning
from ohlcv_factory.models.registry import ModelRegistry

REQUIRES = ("torch", "safetensors")

MEANINGS = {
    "variable_weights": Meaning("weights", ("bar", "feature")),
    "known_weights": Meaning("weights", ("known feature",)),
    "attention": Meaning("weights", ("head", "bar")),
}
_COUNTED = "the data's column roles say which columns are static, known in advance or observed"


class TFTConfig(NetworkConfig):
    """Settings of the temporal fusion transformer."""

    small: ClassVar[dict[str, Any]] = {"hidden_size": 64, "hidden_continuous_size": 16, "lstm_layers": 1}

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
        self.meanings = MEANINGS

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


@ModelRegistry.register()
class TFT(TorchModel):
    """The last position of a temporal fusion transformer (Lim, Arik, Loeff & Pfister 2021)."""

    input_spec: ClassVar[InputSpec] = InputSpec("sequence", "transformer_raw", "standard", 60, static_symbol=True)
    Config = TFTConfig

    def build(self, features: int) -> TFTEncoder:
        """The encoder of `features` columns, with the roles that the fit found: the calendar is known, the symbol static."""
        known = [self.feature_names.index(name) for name in self.known_features]
        static = {features - 1: len(self.symbols)} if self.symbols else {}
        return TFTEncoder(self.config, features, known, static)
