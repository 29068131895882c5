"""What all networks share as models: windows in, one training loop, probabilities out, safetensors on disk."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ohlcv_factory.dataset.samples import Samples
from ohlcv_factory.dataset.windows import WindowSource
from ohlcv_factory.labels.classes import CLASS_COUNT
from ohlcv_factory.models._torch.schedule import Schedule
from ohlcv_factory.models._torch.settings import NetworkConfig
from ohlcv_factory.models.base import DEFAULT_SEED, BaseModel, EpochSink, FitReport
from ohlcv_factory.models.explanation import Explanation, InputNames
from ohlcv_factory.runtime.packages import import_extra
from ohlcv_factory.runtime.seeding import component_seed
from ohlcv_factory.storage.atomic import write_with

if TYPE_CHECKING:
    from ohlcv_factory.models._torch.classifier import Classifier
    from ohlcv_factory.models._torch.device import Arithmetic
    from ohlcv_factory.models._torch.footprint import Footprint
    from ohlcv_factory.models._torch.layers import Encoder
    from ohlcv_factory.models._torch.loop import Examples, Plan

PREPARED_WINDOWS = 1024
"""Training windows, evenly spaced, from which a network may take statistics before it is trained."""


class TorchModel(BaseModel):
    """A network as a model. Authors write `build(features)`: the encoder."""

    native_suffix = ".safetensors"
    rounds_field = "fixed_epochs"
    resumable = True
    shape_decides = True
    gains_from_bf16: ClassVar[bool] = False
    """Whether training is faster in bf16 on a CPU with AMX: recurrent and convolutional networks."""

    network: Classifier | None = None

    def __init__(self, config: Any = None, *, seed: int = DEFAULT_SEED, threads: int | None = None) -> None:
        super().__init__(config, seed=seed, threads=threads)
        torch = import_extra("torch", "neural")
        torch.set_num_threads(self.threads)
        self.config = self.config.for_machine(torch.cuda.is_available())

    @abstractmethod
    def build(self, features: int) -> Encoder:
        """The encoder `(batch, lookback, features) -> (batch, width)`; its weights follow from torch's seed.

        An encoder with a method `prepare(windows)` gets some training windows `(b, lookback, features)` before the first
        epoch, to fix what it takes from data without a gradient.
        """

    def footprint(self, features: int) -> Footprint:
        """Parameters and bytes of a training step, asked of the network itself."""
        from ohlcv_factory.models._torch.footprint import footprint

        return footprint(self, features)

    def arithmetic(self) -> Arithmetic:
        """Device and precision of the training, as asked for or as this machine does well. Raises DeviceError (69)."""
        from ohlcv_factory.models._torch.device import Arithmetic, chosen_device

        device = chosen_device(self.config.device)
        return Arithmetic.choose(device, self.config.precision, gains_from_bf16=self.gains_from_bf16)

    def _fit(self, train: Samples, val: Samples | None, sink: EpochSink) -> FitReport:
        from ohlcv_factory.models._torch import loop

        self.device_used = self.arithmetic().device
        network = self._built(train.X.shape[2]).to(self.device_used)
        rows = _examples(train, self.device_used)
        _prepare(network, rows)
        stop = None if val is None else _examples(val, self.device_used)
        report = loop.train(network, rows, stop, self._plan(stop is not None), sink, self.resume_from)
        self.network = network.to("cpu")
        return report

    def _built(self, features: int) -> Classifier:
        """A new network with the seed's weights; torch's own random state stays as it was."""
        import torch

        from ohlcv_factory.models._torch.classifier import Classifier

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(component_seed(self.seed, self.name, "weights"))
            return Classifier(self.build(features), self.class_count or CLASS_COUNT, self.config.dropout)

    def _plan(self, stops: bool) -> Plan:
        from ohlcv_factory.models._torch.loop import Plan

        config: NetworkConfig = self.config
        epochs = config.max_epochs if stops else min(config.fixed_epochs, config.max_epochs)
        schedule = Schedule(config.scheduler, config.max_epochs, config.warmup_epochs, config.plateau_patience)
        return Plan(
            epochs=epochs,
            batch_size=config.batch_size,
            learning_rate=config.learning_rate,
            weight_decay=config.weight_decay,
            optimizer=config.optimizer,
            schedule=schedule,
            gradient_clip=config.gradient_clip or None,
            label_smoothing=config.label_smoothing,
            patience=config.early_stopping_patience,
            min_delta=config.min_delta,
            windows_per_epoch=config.windows_per_epoch,
            seconds=None if config.time_budget_minutes is None else 60 * config.time_budget_minutes,
            arithmetic=self.arithmetic(),
            seed=self.seed,
            compile=config.compile,
        )

    def _predict_proba(self, X: np.ndarray | WindowSource) -> np.ndarray:
        import torch

        assert self.network is not None
        size = self.block_rows
        blocks = [X[start : start + size] for start in range(0, len(X), size)]
        with torch.inference_mode(), _threads(self.threads if len(X) >= size else 1):
            scores = [self.network(torch.from_numpy(np.ascontiguousarray(block))) for block in blocks]
        return np.asarray(torch.cat(scores).double().softmax(dim=1).numpy())

    def _explain(self, X: np.ndarray) -> dict[str, Explanation]:
        import torch

        assert self.network is not None
        encoder, names = self.network.encoder, InputNames(self.feature_names, self.known_features, self.lookback)
        with torch.inference_mode():
            said = encoder.explain(torch.from_numpy(np.ascontiguousarray(X)))
        return {name: names.explanation(encoder.meanings[name], values.numpy()) for name, values in said.items()}

    def _save(self, path: Path) -> None:
        from safetensors.torch import save_file

        assert self.network is not None
        state = {name: value.contiguous() for name, value in self.network.state_dict().items()}
        write_with(path, lambda temporary: save_file(state, temporary))

    def _load(self, path: Path) -> None:
        from safetensors.torch import load_file

        network = self._built(len(self.feature_names))
        network.load_state_dict(load_file(path))
        self.network = network.eval()


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """That many threads for a while. Waking a second one for the block of a single bar took 12 ms, its work 0.6 ms."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _examples(samples: Samples, device: str) -> Examples:
    """Samples as tensors on a device; a table that it has no room for stays in main memory, and batches are sent."""
    import torch

    from ohlcv_factory.models._torch.device import has_room
    from ohlcv_factory.models._torch.loop import Examples

    windows = samples.X if isinstance(samples.X, WindowSource) else WindowSource.of_array(samples.X)
    y = torch.from_numpy(samples.y.astype(np.int64)).to(device)
    store = device if has_room(device, windows.table.nbytes) else "cpu"
    return Examples(
        windows.torch(device, stored_on=store), y, torch.from_numpy(samples.weight.astype(np.float32)).to(device)
    )


def _prepare(network: Classifier, rows: Examples) -> None:
    import torch

    prepare = getattr(network.encoder, "prepare", None)
    if prepare is not None:
        step = max(1, len(rows) // PREPARED_WINDOWS)
        prepare(rows.windows.batch(torch.arange(0, len(rows), step, device=rows.y.device)))
