"""Tiny random checkpoints, built with the libraries' own classes: they load like real ones and know nothing of markets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

SHELF = {"chronos_bolt": "chronos-bolt-small", "timesfm": "timesfm-2.5-200m-transformers"}
"""Folder of each model's default checkpoint."""
DECILES = [round(0.1 * level, 1) for level in range(1, 10)]


def chronos_bolt(folder: Path, *, seed: int = 0, context: int = 128, steps: int = 24, **sizes: Any) -> Path:
    """A Chronos-Bolt of 24,000 numbers; `sizes` are fields of its T5Config."""
    pytest.importorskip("chronos", reason="needs the extra foundation")
    import torch
    from chronos.chronos_bolt import ChronosBoltModelForForecasting
    from transformers import T5Config

    small = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_decoder_layers": 2, "num_heads": 2}
    config = T5Config(**{**small, **sizes}, vocab_size=2, dropout_rate=0.1, decoder_start_token_id=0)
    config.architectures = ["ChronosBoltModelForForecasting"]
    config.chronos_pipeline_class = "ChronosBoltPipeline"
    config.chronos_config = {
        "context_length": context,
        "prediction_length": steps,
        "input_patch_size": 16,
        "input_patch_stride": 16,
        "quantiles": DECILES,
        "use_reg_token": True,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _saved(ChronosBoltModelForForecasting(config), folder)


def timesfm(folder: Path, *, seed: int = 0, context: int = 128, steps: int = 16, **sizes: Any) -> Path:
    """A TimesFM 2.5 of some thousand numbers; `sizes` are fields of its config."""
    pytest.importorskip("transformers", reason="needs the extra foundation")
    import torch
    from transformers import TimesFm2_5Config, TimesFm2_5ModelForPrediction

    small: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 24, "head_dim": 4, "num_hidden_layers": 2}
    small |= {
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "output_quantile_len": steps,
        "initializer_range": 0.2,
    }
    config = TimesFm2_5Config(**{**small, **sizes}, context_length=context, horizon_length=steps, quantiles=DECILES)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _saved(TimesFm2_5ModelForPrediction(config), folder)


def fill(shelf: Path) -> Path:
    """A folder for `FACTORY_CHECKPOINTS` with a tiny checkpoint for every model."""
    chronos_bolt(shelf / SHELF["chronos_bolt"])
    timesfm(shelf / SHELF["timesfm"])
    return shelf


def _saved(network: Any, folder: Path) -> Path:
    from transformers.utils import logging

    logging.disable_progress_bar()
    network.save_pretrained(folder)
    for left in set(os.listdir(folder)) - {"config.json", "model.safetensors"}:
        (folder / left).unlink()
    return folder
