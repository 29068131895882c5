from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="networks need torch")

from torch import nn

from ohlcv_factory.dataset.windows import WindowSource
from ohlcv_factory.errors import DataError
from ohlcv_factory.models._torch.classifier import Classifier
from ohlcv_factory.models._torch.device import Arithmetic
from ohlcv_factory.models._torch.layers import Encoder
from ohlcv_factory.models._torch.loop import Examples, Plan, parameter_groups, train, weighted_log_loss
from ohlcv_factory.models._torch.schedule import Schedule
from ohlcv_factory.models.base import SilentSink

PLAN = Plan(
    epochs=6,
    batch_size=64,
    learning_rate=0.02,
    weight_decay=1e-4,
    optimizer="adamw",
    schedule=Schedule("cosine", 6, 1, 5),
    gradient_clip=1.0,
    label_smoothing=0.0,
    patience=6,
    min_delta=0.0,
    windows_per_epoch=None,
    seconds=None,
    arithmetic=Arithmetic("cpu", "fp32"),
    seed=3,
    compile=False,
)


class Folders(SilentSink):
    """Keeps every checkpoint."""

    def __init__(self, folder):
        self.folder, self.epochs = folder, []

    def on_epoch(self, epoch, total, metrics):
        self.epochs.append((epoch, total))

    def on_checkpoint(self, epoch, metric, save):
        place = self.folder / str(epoch)
        place.mkdir()
        save(place)


def network(dropout: float = 0.2) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(8, 16), nn.Tanh(), nn.Dropout(dropout), nn.Linear(16, 3))


def examples(count: int = 600, seed: int = 1, weight: float = 1.0) -> Examples:
    """Windows of four bars; the class follows from the last bar."""
    random = np.random.default_rng(seed)
    table = random.standard_normal((count + 3, 2)).astype(np.float32)
    ends = np.arange(3, count + 3)
    y = np.digitize(table[ends, 0], [-0.5, 0.5])
    windows = WindowSource(table, ends, 4).torch()
    return Examples(windows, torch.from_numpy(y), torch.full((count,), weight))


def weights(model: nn.Module) -> bytes:
    return b"".join(value.numpy().tobytes() for value in model.state_dict().values())


def fitted(plan: Plan = PLAN, *, resume=None, sink=None):
    model = network()
    report = train(model, examples(), examples(200, 2), plan, sink or SilentSink(), resume)
    return model, report


def test_it_learns_and_ends_with_the_weights_of_the_best_epoch():
    model, report = fitted()
    losses = report.history["val_loss"]
    assert losses[-1] < 0.7 < math.log(3) < 1.2
    assert report.best_epoch == 1 + int(np.argmin(losses))
    assert weighted_log_loss(model, examples(200, 2)) == min(losses)
    assert len(report.history["learning_rate"]) == report.epochs_trained == 6


def test_the_same_seed_gives_the_same_bytes_and_another_one_others():
    assert weights(fitted()[0]) == weights(fitted()[0])
    assert weights(fitted()[0]) != weights(fitted(replace(PLAN, seed=4))[0])


@pytest.mark.parametrize("epoch", [1, 3, 5])
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_resumed_fit_has_the_bytes_of_one_that_never_stopped(epoch, optimizer, tmp_path):
    plan = replace(PLAN, optimizer=optimizer)
    whole, report = fitted(plan, sink=Folders(tmp_path))
    again, resumed = fitted(plan, resume=tmp_path / str(epoch))
    assert weights(again) == weights(whole)
    assert resumed == report


def test_patience_ends_the_training_early():
    _, report = fitted(replace(PLAN, epochs=50, patience=2, min_delta=10.0))
    assert (report.epochs_trained, report.best_epoch, report.early_stopped) == (3, 1, True)


def test_without_stop_rows_all_epochs_count():
    model = network()
    report = train(model, examples(), None, PLAN, SilentSink())
    assert (report.epochs_trained, report.best_epoch, report.early_stopped) == (6, None, False)
    assert "val_loss" not in report.history


def test_a_loss_that_is_no_number_stops_with_epoch_and_batch():
    rows = examples()
    rows.windows.table[:] = math.inf
    with pytest.raises(DataError, match="the loss is nan in epoch 1, batch 1"):
        train(network(), rows, None, PLAN, SilentSink())


def test_an_epoch_takes_only_its_draw_of_windows():
    few, all_rows = (fitted(replace(PLAN, windows_per_epoch=count, epochs=1))[0] for count in (64, None))
    assert weights(few) != weights(all_rows)


def test_weights_count_in_the_fit_and_in_the_stop_loss():
    model = network()
    rows = examples(200, 2)
    heavy = rows.y == 0
    tilted = Examples(rows.windows, rows.y, torch.where(heavy, 100.0, 1.0))
    alone = weighted_log_loss(model, tilted) - weighted_log_loss(model, rows)
    assert abs(alone) > 1e-3
    trained = network()
    train(trained, tilted, None, PLAN, SilentSink())
    decided = trained(rows.windows.batch(torch.arange(200))).argmax(1)
    assert (decided == 0).float().mean() > 0.6


def test_a_time_budget_ends_the_training_after_an_epoch():
    _, report = fitted(replace(PLAN, seconds=0.0))
    assert (report.epochs_trained, report.early_stopped) == (1, True)


def test_the_sink_hears_of_every_epoch(tmp_path):
    sink = Folders(tmp_path)
    fitted(sink=sink)
    assert sink.epochs == [(epoch, 6) for epoch in range(1, 7)]


def test_parameters_that_ask_for_it_take_no_decay_and_a_lower_rate():
    class Slow(Encoder):
        width, undecayed, slow = 1, ("A",), ("A",)

        def __init__(self):
            super().__init__()
            self.A, self.B = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))

        def forward(self, x):
            return x[:, -1] * self.A * self.B

    groups = parameter_groups(Classifier(Slow(), 3, 0.0), PLAN)
    found = {(group["weight_decay"], group["base_rate"]): len(group["params"]) for group in groups[:-1]}
    assert found == {(0.0, 1e-3): 1, (1e-4, 0.02): 1}
    assert (groups[-1]["base_rate"], len(groups[-1]["params"])) == (0.02, 2)


def test_torch_keeps_its_random_state():
    torch.manual_seed(11)
    before = torch.get_rng_state()
    rows, stop, model = examples(), examples(200, 2), network()
    torch.set_rng_state(before)
    train(model, rows, stop, PLAN, SilentSink())
    assert torch.equal(torch.get_rng_state(), before)


class Resting(Encoder):
    """Half of its layers rest for two epochs."""

    width = 4

    def __init__(self) -> None:
        super().__init__()
        self.still, self.awake = nn.Linear(2, 4), nn.Linear(4, 4)

    def forward(self, x):
        return self.awake(torch.tanh(self.still(x[:, -1])))

    def parameter_groups(self, learning_rate, weight_decay):
        still = {"params": list(self.still.parameters()), "lr": 0.1 * learning_rate, "weight_decay": weight_decay}
        return [{**still, "rests_epochs": 2}]


class States(SilentSink):
    """The weights after each epoch."""

    def __init__(self, model):
        self.model, self.after = model, []

    def on_checkpoint(self, epoch, metric, save):
        self.after.append({name: value.clone() for name, value in self.model.state_dict().items()})


def test_a_group_rests_for_its_epochs_costs_no_gradient_meanwhile_and_then_learns():
    torch.manual_seed(0)
    model = Classifier(Resting(), 3, 0.0)
    before, sink = {name: value.clone() for name, value in model.state_dict().items()}, States(model)
    train(model, examples(), None, replace(PLAN, epochs=3), sink)
    changed = [{name for name in before if not torch.equal(before[name], after[name])} for after in sink.after]
    resting = {"encoder.still.weight", "encoder.still.bias"}
    assert changed == [set(before) - resting, set(before) - resting, set(before)]
    step = 0.1 * PLAN.learning_rate * 10  # ten steps of at most the group's own rate
    assert float((sink.after[2]["encoder.still.weight"] - before["encoder.still.weight"]).abs().max()) < step


def test_the_stop_loss_is_computed_on_as_many_rows_at_once_as_the_plan_says():
    seen = []
    model = network()
    model.register_forward_hook(lambda module, given, _: seen.append((module.training, len(given[0]))))
    train(model, examples(), examples(200, 2), replace(PLAN, epochs=1, scoring_batch=50), SilentSink())
    assert [rows for training, rows in seen if not training] == [50, 50, 50, 50]
