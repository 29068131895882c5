"""What all foundation models share as models: one checkpoint, three ways to use it, one file to keep.

zero_shot: the forecast of the coming bars through each row's own label rule; nothing is trained. frozen: a head on the
network's codes, which are computed once. finetune: head and network together, the network at rest for some epochs.
"""

from __future__ import annotations

import json
import math
import platform
import time
import warnings
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from ohlcv_factory.dataset.samples import RowMarket, Samples
from ohlcv_factory.dataset.windows import WindowSource
from ohlcv_factory.errors import DataError, FactoryWarning, UsageError
from ohlcv_factory.models._foundation.backbone import STATES, Backbone, BackboneShape, QuantileBackbone
from ohlcv_factory.models._foundation.checkpoint import (
    Checkpoint,
    CheckpointKind,
    open_checkpoint,
    refuse_redirecting,
    reopen_checkpoint,
    weight_shapes,
)
from ohlcv_factory.models._foundation.code_cache import CodeCache, window_digests
from ohlcv_factory.models._foundation.encoders import BackboneEncoder, CodeEncoder, codes
from ohlcv_factory.models._foundation.first_touch import (
    barrier_returns,
    first_touch_probabilities,
    terminal_probabilities,
)
from ohlcv_factory.models._foundation.settings import FoundationConfig
from ohlcv_factory.models._torch.classifier import Classifier
from ohlcv_factory.models._torch.device import chosen_device
from ohlcv_factory.models._torch.footprint import COPIES, WORKING, Footprint
from ohlcv_factory.models._torch.layers import Encoder
from ohlcv_factory.models._torch.loop import Plan
from ohlcv_factory.models._torch.model import TorchModel
from ohlcv_factory.models.base import DEFAULT_SEED, EpochSink, FitReport, TrainingMetrics
from ohlcv_factory.models.explanation import Explanation
from ohlcv_factory.models.pretraining import Pretraining
from ohlcv_factory.runtime.seeding import component_seed
from ohlcv_factory.storage.atomic import write_with

CLOSE = "close"
METADATA = "foundation"
"""The one key of a saved file's metadata: several would come in any order."""
CODE_VERSION = 1
"""To be raised with every change of what a code is: older ones on disk are then left alone."""
ROWS_AT_ONCE = 1024
"""Rows whose windows are looked up together."""


class FoundationModel(TorchModel):
    """A pre-trained forecaster as a model. Authors say which checkpoints it takes and how their network is made."""

    kinds: ClassVar[tuple[CheckpointKind, ...]]
    """The checkpoints that it is made of, the network's first."""
    places: ClassVar[tuple[str, ...]] = ("checkpoint", "data_until")
    """Settings that decide which checkpoints are opened."""
    config: FoundationConfig

    def __init__(self, config: Any = None, *, seed: int = DEFAULT_SEED, threads: int | None = None) -> None:
        super().__init__(config, seed=seed, threads=threads)
        self.checkpoints: tuple[Checkpoint, ...] = ()
        self.shape: BackboneShape | None = None
        self.backbone: Backbone | None = None
        self.cache: CodeCache | None = None
        self.configs: tuple[dict[str, Any], ...] = ()
        """`config.json` of each checkpoint."""
        self._opened_for: tuple[Any, ...] = ()
        self._row_seconds = math.inf

    @staticmethod
    @abstractmethod
    def shape_of(config: Mapping[str, Any]) -> BackboneShape:
        """Sizes in a checkpoint's configuration. Raises DataError (65) for what cannot be one."""

    @abstractmethod
    def load_backbone(self, *checkpoints: Checkpoint) -> Backbone:
        """The network with the weights of its checkpoints."""

    @abstractmethod
    def empty_backbone(self, most: int, *configs: Mapping[str, Any]) -> Backbone:
        """The network that the checkpoints' configurations describe; its weights, at most so many numbers, are to be filled."""

    def open_checkpoints(self) -> tuple[Checkpoint, ...]:
        """The checkpoints that the settings name, one for each of `kinds`."""
        return (open_checkpoint(self.config.checkpoint, self.kinds[0], data_until=self.config.data_until),)

    def label_probabilities(self, bars: torch.Tensor, market: RowMarket) -> np.ndarray:
        """Probabilities `(n, 3)` of each row's own label from the forecast; a model that draws paths counts them instead.

        Barriers lie around the close of t at the distances of the row's rule, as far ahead as it is scheduled to look.
        """
        backbone, longest = self.ready_backbone(), int(market.max_bars.max())
        assert isinstance(backbone, QuantileBackbone)
        levels, quantiles = np.array(backbone.shape.levels), backbone.forecast(bars, longest).double().cpu().numpy()
        if (market.threshold > 0).all():
            at_expiry = quantiles[np.arange(len(quantiles)), market.max_bars - 1]
            return terminal_probabilities(at_expiry, levels, market.threshold)
        seed = component_seed(self.seed, self.name, "paths")
        return first_touch_probabilities(
            quantiles,
            levels,
            *barrier_returns(market),
            market.max_bars,
            paths=self.config.paths,
            seed=seed,
            watch="high_low",
        )

    @property
    def trains(self) -> bool:
        """Whether a fit learns from its rows: in every mode but zero_shot."""
        return self.config.mode != "zero_shot"

    @property
    def lookback(self) -> int:
        """Bars of a context: as asked for, or as the checkpoint allows."""
        self.check_ready()
        assert self.config.lookback is not None
        return self.config.lookback

    @property
    def block_rows(self) -> int:
        """Rows of every prediction block, chosen by memory and kept in the settings."""
        self.check_ready()
        assert self.config.block_rows is not None
        return self.config.block_rows

    @property
    def row_seconds(self) -> float | None:
        """Seconds that the network took for a row in its fastest block so far; None before the first."""
        return self._row_seconds if math.isfinite(self._row_seconds) else None

    def check_ready(self) -> None:
        """Open the checkpoints and fill in what the settings leave to them. Raises as `open_checkpoint` does."""
        asked = tuple(getattr(self.config, name) for name in self.places)
        if self.shape is None or asked != self._opened_for:
            self.checkpoints, self._opened_for = self.open_checkpoints(), asked
            opened = [(checkpoint.pretraining, dict(checkpoint.config)) for checkpoint in self.checkpoints]
            self._note_checkpoints(*zip(*opened, strict=True))
        assert self.shape is not None
        self.config = self.config.for_checkpoint(self.shape)

    def _note_checkpoints(self, pretraining: Sequence[Pretraining], configs: Sequence[dict[str, Any]]) -> None:
        self.pretraining, self.configs = tuple(pretraining), tuple(configs)
        self.shape = self.shape_of(self.configs[0])
        self.backbone = self.cache = None

    def ready_backbone(self) -> Backbone:
        """The network with the checkpoint's weights, on the device that the settings choose; loaded at the first call."""
        if self.backbone is None:
            self.check_ready()
            self.backbone = self.load_backbone(*self.checkpoints).eval().to(chosen_device(self.config.device))
        self.backbone.close_column = self._close_column()
        return self.backbone

    def notes(self) -> tuple[str, ...]:
        """What the checkpoint is, and what a row cost."""
        known = [each.note() for each in self.pretraining]
        if math.isfinite(self._row_seconds):
            known.append(
                f"latency: {1000 * self._row_seconds:.2g} ms per row in the fastest block of {self.block_rows}"
            )
        return tuple(known)

    def refit_schedule(self, metrics: TrainingMetrics) -> dict[str, int]:
        """The epochs of an earlier fit; nothing where nothing is trained."""
        return super().refit_schedule(metrics) if self.trains else {}

    def footprint(self, features: int) -> Footprint:
        """Parameters and bytes by the sizes of the checkpoint; those of a forecast where nothing is trained."""
        self.check_ready()
        assert self.shape is not None and self.config.block_rows is not None
        parameters = sum(checkpoint.parameters for checkpoint in self.checkpoints)
        weights, forecast = 4 * parameters, self.shape.forecast_bytes(self.lookback)
        if self.config.mode == "zero_shot":
            return Footprint(parameters, weights, forecast, least_windows=1)
        if self.config.mode == "frozen":
            return Footprint(parameters, weights + self.block_rows * forecast, 4 * (self.shape.width + STATES))
        window = int(WORKING * self.shape.training_bytes(self.lookback))
        scoring = -(-self.block_rows * forecast // window)
        return Footprint(parameters, COPIES * weights, window, least_windows=scoring)

    def build(self, features: int) -> Encoder:
        """What stands before the head: `features` is the length of a code in frozen, the number of columns else."""
        if self.config.mode == "frozen":
            return CodeEncoder(features)
        return self._tuned(self.load_backbone(*self.checkpoints))

    def _close_column(self) -> int:
        """Where the close stands among the columns of the fit. Raises UsageError (2) where it is none of them."""
        names = self.feature_names or (CLOSE,)
        if CLOSE not in names:
            raise UsageError(
                f"model {self.name!r} forecasts the close, which is not among the columns {', '.join(names)}.",
                where="feature_set",
                help=f"feature_set: {self.input_spec.feature_set}",
            )
        return names.index(CLOSE)

    def _tuned(self, backbone: Backbone) -> BackboneEncoder:
        backbone.close_column = self._close_column()
        return BackboneEncoder(backbone, self.config.learning_rate, self.config.freeze_epochs)

    def _fit(self, train: Samples, val: Samples | None, sink: EpochSink) -> FitReport:
        self.check_ready()
        self._close_column()
        if not self.trains:
            self.device_used = chosen_device(self.config.device)
            self._warn_of_rolling_out(train.market)
            return FitReport(epochs_trained=0)
        if self.config.mode == "frozen":
            train, val = self._coded(train), None if val is None else self._coded(val)
        return super()._fit(train, val, sink)

    def _warn_of_rolling_out(self, market: RowMarket | None) -> None:
        longest = 0 if market is None else int(market.max_bars.max())
        assert self.shape is not None
        if longest > self.shape.native_steps:
            warnings.warn(
                f"the labels look {longest} bars ahead, the checkpoint forecasts {self.shape.native_steps} at once: "
                "what lies beyond is rolled out, at a cost per quantile and with less to rely on.",
                FactoryWarning,
                stacklevel=2,
            )

    def _coded(self, samples: Samples) -> Samples:
        """The samples with the code of each window in its place, as a window of one bar."""
        table = self.codes(samples.X)
        names = tuple(f"code_{place}" for place in range(table.shape[1]))
        source = WindowSource(table, np.arange(len(table)), 1)
        return replace(samples, X=source, feature_names=names, market=None)

    def _plan(self, stops: bool) -> Plan:
        return replace(
            super()._plan(stops),
            learning_rate=self.config.head_learning_rate,
            scoring_batch=ROWS_AT_ONCE if self.config.mode == "frozen" else self.block_rows,
        )

    def codes(self, windows: Any) -> np.ndarray:
        """Codes and market states of windows, `(n, width + STATES)` float32: found on disk, or computed and kept there."""
        facts = self._code_facts()
        if self.cache is None or self.cache.facts != facts:
            self._keep_codes()
            self.cache = CodeCache(facts)
        starts = range(0, len(windows), ROWS_AT_ONCE)
        parts = [self._found_or_computed(windows[start : start + ROWS_AT_ONCE], self.cache) for start in starts]
        assert self.shape is not None
        return np.concatenate(parts) if parts else np.empty((0, self.shape.width + STATES), np.float32)

    def _found_or_computed(self, windows: np.ndarray, cache: CodeCache) -> np.ndarray:
        digests = window_digests(windows)
        found = cache.find(digests)
        absent = [place for place, code in enumerate(found) if code is None]
        if absent:
            fresh = self._computed_codes(windows[absent])
            cache.add([digests[place] for place in absent], fresh)
            for place, code in zip(absent, fresh, strict=True):
                found[place] = code
        return np.stack([code for code in found if code is not None])

    def _computed_codes(self, windows: np.ndarray) -> np.ndarray:
        """Codes in blocks of `block_rows`, the last filled up with its last row, so that bits follow from a row alone."""
        backbone, size, parts = self.ready_backbone(), self.block_rows, []
        for start in range(0, len(windows), size):
            block = windows[start : start + size]
            filled = block[np.minimum(np.arange(size), len(block) - 1)]
            with torch.inference_mode(), self._timed(size):
                parts.append(codes(backbone, self._on_device(filled)).cpu().numpy()[: len(block)])
        return np.concatenate(parts)

    def _keep_codes(self) -> None:
        if self.cache is not None:
            self.cache.flush()

    def _code_facts(self) -> dict[str, Any]:
        return {
            "codes": CODE_VERSION,
            "model": self.name,
            "checkpoints": [each.digest for each in self.pretraining],
            "columns": list(self.feature_names),
            "lookback": self.lookback,
            "block_rows": self.block_rows,
            "threads": self.threads,
            "device": chosen_device(self.config.device),
            "machine": platform.machine(),
            "torch": str(torch.__version__),
        }

    def _on_device(self, windows: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(windows)).to(chosen_device(self.config.device))

    @contextmanager
    def _timed(self, rows: int) -> Iterator[None]:
        """Note what a row of this block costs, if it is the fastest one so far."""
        started = time.perf_counter()
        yield
        self._row_seconds = min(self._row_seconds, (time.perf_counter() - started) / rows)

    def _predict_with_market(self, X: np.ndarray, market: RowMarket) -> np.ndarray:
        if self.config.mode == "frozen":
            return self._predict_proba(X)
        with self._timed(len(X)):
            return self._predict_proba(X) if self.trains else self.label_probabilities(self._on_device(X), market)

    def _predict_proba(self, X: np.ndarray | WindowSource) -> np.ndarray:
        return super()._predict_proba(self.codes(X)[:, None] if self.config.mode == "frozen" else X)

    def _explain(self, X: np.ndarray) -> dict[str, Explanation]:
        return {}

    def _save(self, path: Path) -> None:
        """A reference to the checkpoints and the head; in finetune all weights and the configuration that they fit."""
        from safetensors.torch import save_file

        self._keep_codes()
        network = {} if self.network is None else self.network.state_dict()
        state = {name: value.detach().contiguous().clone() for name, value in network.items()}
        facts = {
            "checkpoints": [each.plain() for each in self.pretraining],
            "configs": list(self.configs),
        }
        metadata = {METADATA: json.dumps(facts, sort_keys=True)}
        write_with(path, lambda temporary: save_file(state, temporary, metadata))

    def _load(self, path: Path) -> None:
        from safetensors.torch import load_file

        facts = _read_facts(path)
        self._opened_for = tuple(getattr(self.config, name) for name in self.places)
        saved = [Pretraining.from_plain(each) for each in facts["checkpoints"]]
        self._note_checkpoints(saved, facts["configs"])
        assert self.shape is not None
        if self.config.mode == "finetune":
            most = sum(math.prod(shape) for shape in weight_shapes(path).values())
            encoder: Encoder = self._tuned(self.empty_backbone(most, *self.configs))
        else:
            self.checkpoints = tuple(reopen_checkpoint(*each) for each in zip(saved, self.kinds, strict=True))
            encoder = CodeEncoder(self.shape.width + STATES)
        self.network = None
        if self.trains:
            network = Classifier(encoder, self.class_count, self.config.dropout)
            network.load_state_dict(load_file(path))
            self.network = network.eval()


def _read_facts(path: Path) -> dict[str, Any]:
    """What `_save` wrote beside the tensors. Raises DataError (65) where there is nothing of the kind."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            facts: dict[str, Any] = json.loads((file.metadata() or {})[METADATA])
            configs = list(map(dict, facts["configs"]))
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise DataError(
            f"{path.name} is not a saved foundation model: {error}.", where=str(path), help="train it again"
        ) from None
    for config in configs:
        refuse_redirecting(config, path)
    return facts
