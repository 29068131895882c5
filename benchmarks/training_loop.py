"""Row 11: training through the factory's loop against a bare PyTorch loop on materialised windows, and skorch.

The same network, windows, optimizer, clipping and steps on all sides, one thread. The bare loop does what a person
would write: permute, index, forward, loss, backward, clip, step. A run is one epoch. In the last lines the peer is the
factory's own fp32 loop: what bf16 gains on a CPU with AMX.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import Bench, Line, Timing, Work, against, serve

LOOKBACK, FEATURES, CLASSES, BATCH = 60, 50, 3, 256
LEARNING_RATE, WEIGHT_DECAY, CLIP = 1e-3, 1e-4, 1.0
WINDOWS = {"lstm": 1024, "tcn": 1024, "dlinear": 8192, "patchtst": 512}
"""Windows per run, so that no case takes long."""
IN_BF16 = ("lstm", "tcn")
REACH = ">= 0.97 x the bare loop"


def lines(bench: Bench) -> list[Line]:
    """The lines of this row."""
    sides = [
        *(f"{name}-{side}" for name in WINDOWS for side in ("factory", "bare")),
        *(f"{name}-bf16" for name in IN_BF16),
    ]
    skorch = [f"{name}-skorch" for name in WINDOWS]
    found = bench.take_turns(__file__, sides, peers=skorch, environment="torch")
    measured = [
        against(
            11, work(name, found[f"{name}-factory"]), found[f"{name}-factory"], REACH, peer, found[f"{name}-{peer}"]
        )
        for name in WINDOWS
        for peer in ("bare", "skorch")
    ]
    return measured + [in_bf16(name, found[f"{name}-bf16"], found[f"{name}-factory"]) for name in IN_BF16]


def in_bf16(name: str, bf16: Timing | str, fp32: Timing | str) -> Line:
    """A line of the factory against itself; its target holds where the CPU has AMX, and the line says whether it does."""
    has_amx = not isinstance(bf16, str) and bf16.facts["amx"]
    reach = ">= 1.6 x" if has_amx else "none: this CPU has no AMX"
    return against(11, f"{work(name, bf16)}, bf16", bf16, reach, "fp32", fp32)


def work(name: str, timing: Timing | str) -> str:
    """What was done, with its rate."""
    rate = "" if isinstance(timing, str) else f" ({WINDOWS[name] / timing.cpu_seconds:.0f} windows per CPU-second)"
    return f"one epoch of {name}{rate}"


def through_factory(name: str, precision: str) -> Callable[[Path], Work]:
    """A case: `models/_torch/loop.train`, one epoch."""

    def case(folder: Path) -> Work:
        import torch

        from ohlcv_factory.models._torch.device import Arithmetic, has_matrix_bf16
        from ohlcv_factory.models._torch.loop import Examples, Plan, train
        from ohlcv_factory.models._torch.schedule import Schedule
        from ohlcv_factory.models.base import SilentSink

        network, source, y = _network(name), _source(name), _classes(name)
        rows = Examples(source.torch(), y, torch.ones(len(y)))
        plan = Plan(
            epochs=1,
            batch_size=BATCH,
            learning_rate=LEARNING_RATE,
            weight_decay=WEIGHT_DECAY,
            optimizer="adamw",
            schedule=Schedule("none", 1, 0, 1),
            gradient_clip=CLIP,
            label_smoothing=0.0,
            patience=1,
            min_delta=0.0,
            windows_per_epoch=None,
            seconds=None,
            arithmetic=Arithmetic("cpu", precision),  # type: ignore[arg-type]
            seed=0,
            compile=False,
        )

        def work() -> Any:
            report = train(network, rows, None, plan, SilentSink())
            return lambda: {"loss": report.history["train_loss"][-1], "amx": has_matrix_bf16()}

        return work

    return case


def bare(name: str) -> Callable[[Path], Work]:
    """A case: the plain loop on materialised windows."""

    def case(folder: Path) -> Work:
        import torch
        from torch.nn import functional

        network, x, y = _network(name), torch.from_numpy(_source(name)[:]), _classes(name)

        def work() -> Any:
            optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
            network.train()
            total = 0.0
            for rows in torch.randperm(len(y)).split(BATCH):
                optimizer.zero_grad()
                loss = functional.cross_entropy(network(x[rows]), y[rows])
                loss.backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP)
                optimizer.step()
                total += loss.item()
            return lambda: {"loss": total * BATCH / len(y)}

        return work

    return case


def with_skorch(name: str) -> Callable[[Path], Work]:
    """A case: skorch on materialised windows, without its printed log."""

    def case(folder: Path) -> Work:
        import torch
        from skorch import NeuralNetClassifier
        from skorch.callbacks import GradientNormClipping

        x, y = _source(name)[:], _classes(name).numpy()
        net = NeuralNetClassifier(
            _network(name),
            criterion=torch.nn.CrossEntropyLoss,
            optimizer=torch.optim.AdamW,
            optimizer__weight_decay=WEIGHT_DECAY,
            lr=LEARNING_RATE,
            batch_size=BATCH,
            max_epochs=1,
            train_split=None,
            iterator_train__shuffle=True,
            callbacks=[GradientNormClipping(CLIP)],
            callbacks__print_log=None,
            callbacks__valid_acc=None,
            verbose=0,
        )

        def work() -> Any:
            net.fit(x, y)
            return lambda: {"loss": net.history[-1, "train_loss"]}

        return work

    return case


def _network(name: str) -> Any:
    """The network with the same weights on every side."""
    import torch

    from ohlcv_factory.models._torch.classifier import Classifier

    torch.set_num_threads(1)
    torch.manual_seed(0)
    return Classifier(_encoder(name), CLASSES, dropout=0.1)


def _encoder(name: str) -> Any:
    from ohlcv_factory.models.linear.dlinear import DLinearConfig, DLinearEncoder
    from ohlcv_factory.models.neural.lstm import LSTMConfig, LSTMEncoder
    from ohlcv_factory.models.neural.tcn import TCNConfig, TCNEncoder
    from ohlcv_factory.models.transformer.patchtst import PatchTSTConfig, PatchTSTEncoder

    sizes = {"lookback": LOOKBACK, "dropout": 0.1}
    if name == "lstm":
        return LSTMEncoder(LSTMConfig(**sizes), FEATURES)
    if name == "tcn":
        return TCNEncoder(TCNConfig(**sizes), FEATURES)
    if name == "dlinear":
        return DLinearEncoder(DLinearConfig(lookback=LOOKBACK), FEATURES)
    small = {"d_model": 64, "n_heads": 4, "d_ff": 128, "n_layers": 2}
    return PatchTSTEncoder(PatchTSTConfig(**sizes, **small), FEATURES)


def _source(name: str) -> Any:
    import numpy as np

    from ohlcv_factory.dataset.windows import WindowSource

    rows = WINDOWS[name] + LOOKBACK - 1
    table = np.random.default_rng(0).standard_normal((rows, FEATURES), dtype=np.float32)
    return WindowSource(table, np.arange(LOOKBACK - 1, rows), LOOKBACK)


def _classes(name: str) -> Any:
    import torch

    return torch.randint(CLASSES, (WINDOWS[name],), generator=torch.Generator().manual_seed(1))


if __name__ == "__main__":
    serve(
        {f"{name}-factory": through_factory(name, "fp32") for name in WINDOWS}
        | {f"{name}-bare": bare(name) for name in WINDOWS}
        | {f"{name}-skorch": with_skorch(name) for name in WINDOWS}
        | {f"{name}-bf16": through_factory(name, "bf16") for name in IN_BF16}
    )
