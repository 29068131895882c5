"""Tiny random checkpoints, built with the libraries' own classes: they load like real ones and know nothing of markets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

SHELF = {
    "chronos_bolt": "chronos-bolt-small",
    "timesfm": "timesfm-2.5-200m-transformers",
    "chronos2": "chronos-2",
    "kronos": "Kronos-small",
}
"""Folder of each model's default checkpoint."""
KRONOS_TOKENIZER = "Kronos-Tokenizer-base"
DECILES = [round(0.1 * level, 1) for level in range(1, 10)]
TWENTY_ONE = [0.01, *(round(0.05 * level, 2) for level in range(1, 20)), 0.99]


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


def chronos2(folder: Path, **sizes: Any) -> Path:
    """A Chronos-2 of some thousand numbers; `sizes` are fields of its config."""
    pytest.importorskip("chronos", reason="needs the extra foundation")
    import torch
    from chronos.chronos2.config import Chronos2CoreConfig
    from chronos.chronos2.model import Chronos2Model

    small = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2, "dropout_rate": 0.1}
    config = Chronos2CoreConfig(**{**small, **sizes}, initializer_factor=0.5)
    config.architectures, config.chronos_pipeline_class = ["Chronos2Model"], "Chronos2Pipeline"
    config.chronos_config = {
        "context_length": 128,
        "output_patch_size": 16,
        "input_patch_size": 16,
        "input_patch_stride": 16,
        "quantiles": TWENTY_ONE,
        "use_reg_token": True,
        "use_arcsinh": True,
        "max_output_patches": 2,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return _saved(Chronos2Model(config), folder)


KRONOS_RATES = {f"{part}_dropout_p": 0.1 for part in ("ffn", "attn", "resid")}


def kronos(folder: Path, **sizes: Any) -> Path:
    """A Kronos of some thousand numbers that reads `kronos_tokenizer`'s tokens."""
    pytest.importorskip("kronos_finance", reason="needs the extra foundation")
    from kronos_finance._vendor.kronos_model import Kronos

    small = {"s1_bits": 4, "s2_bits": 4, "n_layers": 2, "d_model": 16, "n_heads": 2, "ff_dim": 32}
    return _saved_module(
        Kronos, {**small, **sizes, **KRONOS_RATES, "token_dropout_p": 0.1, "learn_te": True}, folder, seed=0
    )


def kronos_tokenizer(folder: Path, **sizes: Any) -> Path:
    """Its tokenizer: two tokens of 4 bits for each bar."""
    pytest.importorskip("kronos_finance", reason="needs the extra foundation")
    from kronos_finance._vendor.kronos_model import KronosTokenizer

    small = {"d_in": 6, "d_model": 16, "n_heads": 2, "ff_dim": 32, "n_enc_layers": 2, "n_dec_layers": 2}
    bits = {"s1_bits": 4, "s2_bits": 4, "beta": 0.05, "gamma0": 1.0, "gamma": 1.1, "zeta": 0.05, "group_size": 4}
    return _saved_module(KronosTokenizer, {**small, **bits, **sizes, **KRONOS_RATES}, folder, seed=1)


def _saved_module(module_class: Any, config: dict[str, Any], folder: Path, seed: int) -> Path:
    import json

    import torch
    from safetensors.torch import save_file

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = module_class(**config)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, folder / "model.safetensors")
    return folder


def fill(shelf: Path) -> Path:
    """A folder for `FACTORY_CHECKPOINTS` with a tiny checkpoint for every model."""
    chronos_bolt(shelf / SHELF["chronos_bolt"])
    timesfm(shelf / SHELF["timesfm"])
    chronos2(shelf / SHELF["chronos2"])
    kronos(shelf / SHELF["kronos"])
    kronos_tokenizer(shelf / KRONOS_TOKENIZER)
    return shelf


def _saved(network: Any, folder: Path) -> Path:
    from transformers.utils import logging

    logging.disable_progress_bar()
    network.save_pretrained(folder)
    for left in set(os.listdir(folder)) - {"config.json", "model.safetensors"}:
        (folder / left).unlink()
    return folder
