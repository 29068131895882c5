from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from ohlcv_factory.config import read_yaml
from ohlcv_factory.errors import DataError, ResourceError, UsageError
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.storage.digests import file_digest
from ohlcv_factory.storage.ledger import Ledger
from ohlcv_factory.training.settings import TrainerConfig
from ohlcv_factory.training.tracking.spool import SilentSpool
from ohlcv_factory.training.trainer import RunSink, Trainer

LAYOUT = {
    "config/training_config.yaml",
    "config/model_config.yaml",
    "config/start.json",
    "config/feature_config.yaml",
    "checkpoints/best_model.txt",
    "checkpoints/best_model.meta.json",
    "checkpoints/reference.npz",
    "checkpoints/scaler.json",
    "checkpoints/calibrator.json",
    "checkpoints/decision.json",
    "checkpoints/training_range.json",
    "predictions/val_predictions.parquet",
    "predictions/val_probabilities.npy",
    "predictions/val_path.parquet",
    "predictions/val_trades.parquet",
    "metrics/training_metrics.json",
    "metrics/evaluation_metrics.json",
    "metrics/feature_importance.json",
    "metrics/explanation.npz",
    "metrics/explanation.json",
    "plots/training_curves.png",
    "plots/confusion_matrix.png",
    "plots/feature_importance.png",
    "logs/training.log",
    "state.json",
    "manifest.json",
}


def test_a_run_folder_holds_every_file_of_the_specification(finished):
    held = {path.relative_to(finished.path).as_posix() for path in finished.path.rglob("*") if path.is_file()}
    checkpoints = {path for path in held if path.startswith("checkpoints/checkpoint_epoch_")}
    assert held - checkpoints == LAYOUT
    assert checkpoints


def test_the_manifest_lists_every_file_with_its_digest(finished):
    manifest = json.loads((finished.path / "manifest.json").read_text())
    assert {entry["path"] for entry in manifest["files"]} >= LAYOUT - {"state.json", "manifest.json"}
    for entry in manifest["files"]:
        assert file_digest(finished.path / entry["path"]) == entry["sha256"]


def test_predictions_cover_every_eligible_val_row_and_come_back_as_written(finished, container):
    frame = pl.read_parquet(finished.path / "predictions" / "val_predictions.parquet")
    again = Predictions.from_frame(frame, 5)
    assert len(frame) == len(container.rows("val"))
    assert np.array_equal(again.index, finished.predictions.index)
    assert again.raw.tobytes() == finished.predictions.raw.tobytes()
    stored = np.load(finished.path / "predictions" / "val_probabilities.npy")
    assert stored.tobytes() == finished.predictions.probabilities.tobytes()


def test_the_saved_config_repeats_the_run(finished, container, tmp_path):
    recipe = dict(read_yaml(finished.path / "config" / "training_config.yaml").values)
    del recipe["dataset"], recipe["symbol"], recipe["plugins"], recipe["threads"]
    again = Trainer(TrainerConfig.parse({**recipe, "output_dir": str(tmp_path)})).run(container)
    assert again.predictions.raw.tobytes() == finished.predictions.raw.tobytes()


def test_run_full_pipeline_returns_the_specifications_keys(container, config):
    result = Trainer(config()).run_full_pipeline(container)
    assert set(result) == {"run_id", "training_metrics", "evaluation_metrics", "output_path"}
    assert result["output_path"].endswith(result["run_id"])


def test_a_run_is_entered_in_the_ledger_before_it_is_scored(container, config, monkeypatch):
    settings = config()

    def broken(*_, **__):
        raise RuntimeError("no scores today")

    monkeypatch.setattr("ohlcv_factory.training.trainer.score_part", broken)
    with pytest.raises(RuntimeError):
        Trainer(settings).run(container)
    assert Ledger.in_folder(settings.experiments_folder).count("fit", data_digest=container.fingerprint) == 1


def test_a_failed_run_says_so_and_has_no_manifest(container, config, monkeypatch):
    settings = config()

    def broken(*_, **__):
        raise DataError("the rows ran away.", help="catch them")

    monkeypatch.setattr("ohlcv_factory.training.trainer.fit_pipeline", broken)
    with pytest.raises(DataError):
        Trainer(settings).run(container)
    (folder,) = settings.output_dir.iterdir()
    state = json.loads((folder / "state.json").read_text())
    assert state["state"] == "FAILED"
    assert state["error"] == {"type": "E-data", "message": "the rows ran away.", "hint": "catch them"}
    assert not (folder / "manifest.json").exists()


def test_an_interrupted_run_says_so(container, config, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    settings = config()
    monkeypatch.setattr("ohlcv_factory.training.trainer.fit_pipeline", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Trainer(settings).run(container)
    (folder,) = settings.output_dir.iterdir()
    assert json.loads((folder / "state.json").read_text())["state"] == "INTERRUPTED"


def test_run_names_carry_model_horizon_utc_stamp_and_a_short_id(container, config):
    clock = lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)  # noqa: E731
    first, second = (Trainer(config(), clock=clock).run(container) for _ in range(2))
    assert first.run_id.startswith("logistic_h5_20260102T030405Z_")
    assert first.run_id != second.run_id
    assert first.evaluation["timestamp"] == "2026-01-02T03:04:05Z"


def test_config_and_container_must_agree_on_the_horizon(container, config):
    with pytest.raises(UsageError, match="the config asks for horizon 20, the container holds 5"):
        Trainer(config(horizon=20)).run(container)


def test_the_experiment_name_is_kept_in_the_manifest(container, config):
    result = Trainer(config(experiment_name="spring")).run(container)
    assert json.loads((result.path / "manifest.json").read_text())["experiment_name"] == "spring"


def test_a_planted_signal_is_seen_through_the_whole_pipeline(finished):
    scores = finished.evaluation["classification"]
    assert scores["direction_hit_rate"] > scores["independent_rate"] + 0.05


def test_a_fit_that_cannot_fit_into_memory_is_refused_before_any_work(container, config, monkeypatch):
    settings = config()
    monkeypatch.setattr("ohlcv_factory.runtime.memory.available_bytes", lambda: 1e6)
    with pytest.raises(ResourceError, match=r"fitting 'logistic' needs about 0\.6 GB, 0\.0 GB are free"):
        Trainer(settings).run(container)
    assert not settings.output_dir.exists()
    assert not Ledger.in_folder(settings.experiments_folder).entries()


def test_the_bar_of_a_fit_moves_by_epochs_and_shows_the_losses():
    class Bar:
        percent, words = 0, ""

        def update(self, steps=1):
            self.percent += steps

        def set_postfix_str(self, words):
            self.words = words

    sink = RunSink(checkpoints=None, bar=Bar(), spool=SilentSpool())
    sink.on_epoch(1, 8, {"train_loss": 1.01, "val_loss": 0.99})
    sink.on_epoch(3, 8, {"train_loss": 0.95, "val_loss": 0.98})
    assert (sink.bar.percent, sink.bar.words) == (37, "3 of 8, train loss 0.9500, val loss 0.9800")
