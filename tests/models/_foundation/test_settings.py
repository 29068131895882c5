from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="foundation models need torch")

from ohlcv_factory.errors import UsageError
from ohlcv_factory.models._foundation.backbone import BackboneShape
from ohlcv_factory.models._foundation.settings import IDLE, MODE_WORDS, FoundationConfig
from ohlcv_factory.models.foundation.chronos_bolt import ChronosBoltConfig
from ohlcv_factory.models.foundation.timesfm import TimesFMConfig

SMALL_BOLT = BackboneShape((0.1, 0.5, 0.9), 2048, 64, 512, layers=6, hidden=2048, heads=8, patch_bars=16)
"""Sizes of chronos-bolt-small."""


@pytest.mark.parametrize(
    ("words", "mode"),
    [
        ({}, "zero_shot"),
        ({"mode": "frozen"}, "frozen"),
        ({"use_zero_shot": True}, "zero_shot"),
        ({"use_zero_shot": False, "freeze_encoder": False}, "finetune"),
        ({"fine_tune": True, "freeze_backbone": False}, "finetune"),
        ({"fine_tune": True, "freeze_backbone": True}, "frozen"),
        ({"freeze_backbone": True}, "frozen"),
        ({"freeze_backbone": False}, "zero_shot"),
        ({"fine_tune": True, "mode": "finetune"}, "finetune"),
    ],
)
def test_the_specifications_switches_mean_a_mode(words, mode):
    assert ChronosBoltConfig.parse(words).mode == mode


@pytest.mark.parametrize(
    "words",
    [
        {"use_zero_shot": True, "fine_tune": True},
        {"use_zero_shot": True, "freeze_backbone": True},
        {"fine_tune": True, "mode": "zero_shot"},
    ],
)
def test_switches_that_contradict_are_refused_by_name(words):
    with pytest.raises(UsageError, match="contradict each other") as refused:
        ChronosBoltConfig.parse(words)
    assert all(word in refused.value.what for word in words)


@pytest.mark.parametrize("word", MODE_WORDS)
def test_a_switch_that_is_neither_true_nor_false_is_refused(word):
    with pytest.raises(UsageError, match=f"{word} must be true or false, got 'maybe'"):
        ChronosBoltConfig.parse({word: "maybe"})


def test_checkpoints_go_by_all_their_names():
    for key in ("checkpoint", "model_id", "pretrained_path"):
        assert ChronosBoltConfig.parse({key: "./bolt"}).checkpoint == "./bolt"
    assert ChronosBoltConfig.parse({"model_size": "tiny"}).checkpoint == "amazon/chronos-bolt-tiny"
    assert ChronosBoltConfig.parse({"context_length": 512}).lookback == 512
    with pytest.raises(UsageError, match=r"Unknown model_size 'tini'. Did you mean 'tiny'\?"):
        ChronosBoltConfig.parse({"model_size": "tini"})
    with pytest.raises(UsageError, match="model_size and checkpoint both name a checkpoint"):
        ChronosBoltConfig.parse({"model_size": "tiny", "model_id": "./bolt"})
    with pytest.raises(UsageError, match="model_size: unknown key"):
        TimesFMConfig.parse({"model_size": "tiny"})


@pytest.mark.parametrize("key", ["prediction_length", "num_samples", "temperature"])
def test_keys_that_cannot_act_are_refused_with_the_reason(key):
    with pytest.raises(UsageError, match=f"{key} cannot act here: "):
        ChronosBoltConfig.parse({key: 20})


@pytest.mark.parametrize(
    "place", ["google/timesfm-1.0-200m", "google/timesfm-2.0-500m-pytorch", "google/timesfm-2.5-200m-pytorch"]
)
def test_older_formats_of_timesfm_are_refused_with_todays(place):
    with pytest.raises(UsageError, match=r"is in an older format; google/timesfm-2\.5-200m-transformers is read today"):
        TimesFMConfig.parse({"checkpoint": place})
    assert TimesFMConfig().checkpoint == "google/timesfm-2.5-200m-transformers"


def test_every_field_that_cannot_act_in_a_mode_is_a_field():
    assert set().union(*IDLE.values()) <= set(FoundationConfig.model_fields)


@pytest.mark.parametrize(
    ("mode", "field", "value"),
    [
        ("zero_shot", "max_epochs", 3),
        ("zero_shot", "learning_rate", 1e-4),
        ("zero_shot", "preset", "spec"),
        ("frozen", "freeze_epochs", 1),
        ("frozen", "learning_rate", 1e-4),
        ("frozen", "paths", 400),
        ("finetune", "paths", 400),
    ],
)
def test_a_field_that_cannot_act_in_the_mode_is_refused(mode, field, value):
    with pytest.raises(UsageError, match=f"{field}: cannot act in mode {mode}"):
        ChronosBoltConfig.parse({"mode": mode, field: value})


def test_days_and_paths_are_checked():
    with pytest.raises(UsageError, match="data_until"):
        ChronosBoltConfig.parse({"data_until": "spring"})
    with pytest.raises(UsageError, match="paths come in mirrored pairs: an even number, got 201"):
        ChronosBoltConfig.parse({"paths": 201})


def test_the_small_preset_draws_fewer_windows_and_changes_no_size():
    config = ChronosBoltConfig.parse({"mode": "finetune"})
    assert (config.for_machine(False).preset, config.for_machine(False).windows_per_epoch) == ("small", 8192)
    assert (config.for_machine(True).preset, config.for_machine(True).windows_per_epoch) == ("spec", None)
    assert ChronosBoltConfig().for_machine(False) == ChronosBoltConfig()
    by_hand = ChronosBoltConfig.parse({"mode": "frozen", "windows_per_epoch": 500})
    assert by_hand.for_machine(False).windows_per_epoch == 500


def test_context_block_and_batch_follow_from_the_checkpoint():
    zero, frozen, tuned = (
        ChronosBoltConfig.parse({"mode": mode}).for_checkpoint(SMALL_BOLT)
        for mode in ("zero_shot", "frozen", "finetune")
    )
    assert (zero.lookback, zero.block_rows, zero.batch_size) == (2048, 64, None)
    assert (frozen.lookback, frozen.block_rows, frozen.batch_size) == (2048, 64, 256)
    assert (tuned.lookback, tuned.block_rows, tuned.batch_size) == (2048, 64, 32)
    assert zero.for_checkpoint(SMALL_BOLT) == zero
    assert ChronosBoltConfig.parse(tuned.plain()) == tuned


def test_a_context_is_never_longer_than_the_checkpoint_reads():
    long = BackboneShape((0.1, 0.9), 16384, 128, 1280, layers=20, hidden=1280, heads=16, patch_bars=32)
    assert TimesFMConfig().for_checkpoint(long).lookback == 2048  # the cost grows with it; more is to be asked for
    assert TimesFMConfig.parse({"lookback": 16384}).for_checkpoint(long).lookback == 16384
    with pytest.raises(UsageError, match="lookback 4096 is longer than the 2048 bars that the checkpoint reads"):
        ChronosBoltConfig.parse({"lookback": 4096}).for_checkpoint(SMALL_BOLT)


def test_a_window_that_is_too_large_for_any_budget_goes_alone():
    huge = BackboneShape((0.1, 0.9), 16384, 64, 16384, layers=200, hidden=65536, heads=64, patch_bars=1)
    config = ChronosBoltConfig.parse({"mode": "finetune", "lookback": 16384}).for_checkpoint(huge)
    assert (config.block_rows, config.batch_size) == (1, 1)
