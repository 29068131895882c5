from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="foundation models need torch")
pytest.importorskip("chronos", reason="needs the extra foundation")

import checkpoints

from ohlcv_factory.errors import UsageError
from ohlcv_factory.models._foundation.bar_columns import CLOSE, log_bars
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.testing.planted_bars import planted_bars


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return checkpoints.chronos2(tmp_path_factory.mktemp("chronos2") / "chronos-2")


@pytest.fixture(scope="module")
def backbone(folder):
    return ModelRegistry.create("chronos2", {"checkpoint": str(folder)}).ready_backbone()


@pytest.fixture(scope="module")
def library(folder):
    from chronos import BaseChronosPipeline

    return BaseChronosPipeline.from_pretrained(str(folder), device_map="cpu", dtype=torch.float32)


def bars(rows: int = 3, count: int = 100, columns: int = 5):
    draw = np.random.default_rng(0)
    values = np.exp(np.cumsum(draw.standard_normal((rows, count, columns)) * 0.01, axis=1))
    values[0, :20] = np.nan
    return torch.from_numpy(values.astype(np.float32))


@pytest.mark.parametrize("columns", [5, 4])
@pytest.mark.parametrize("steps", [10, 16, 32])
def test_the_forecast_is_that_of_the_library_though_windows_are_kept_apart_without_a_mask(
    backbone, library, steps, columns
):
    windows = bars(columns=columns)
    theirs = torch.stack([each[CLOSE].T for each in library.predict(log_bars(windows), prediction_length=steps)])
    torch.testing.assert_close(backbone.forecast(windows, steps), theirs.sort(-1).values, atol=1e-4, rtol=1e-4)


def test_the_code_is_the_librarys_state_of_the_close_before_the_coming_patch(backbone, library):
    codes, _ = library.embed(log_bars(bars()))
    torch.testing.assert_close(backbone.embed(bars()), torch.stack([each[CLOSE, -2] for each in codes]))


def test_a_window_keeps_its_bits_whatever_stands_beside_it(backbone):
    windows = bars(rows=8)
    others = windows.roll(3, 0) * 2
    mixed = torch.where(torch.arange(8)[:, None, None] == 5, windows, others)
    assert torch.equal(backbone.forecast(windows, 10)[5], backbone.forecast(mixed, 10)[5])


def test_steps_beyond_those_of_the_checkpoint_continue_every_column(backbone):
    long = backbone.forecast(bars(), 40)
    assert long.shape == (3, 40, 21)
    assert (long.diff(dim=-1) >= 0).all()


def test_columns_that_are_not_those_of_whole_bars_are_refused(folder):
    model = ModelRegistry.create("chronos2", {"checkpoint": str(folder), "lookback": 96})
    closes = planted_bars(ModelRegistry.model_class("chronos_bolt").input_spec, 96)[0]
    with pytest.raises(UsageError, match="model 'chronos2' reads open, high, low, close, volume, got close"):
        model.fit(closes)
