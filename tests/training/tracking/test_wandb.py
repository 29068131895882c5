"""Weights & Biases, offline: what its folder holds is looked at through its own library."""

from __future__ import annotations

import socket

import pytest
from tracked_runs import run_folder, write_epochs, write_start

from ohlcv_factory.runtime.packages import is_installed
from ohlcv_factory.training.tracking.courier import deliver_all

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_installed("wandb"), reason="the extra wandb is not installed"),
]


@pytest.fixture(scope="module")
def shown(finished, tmp_path_factory):
    """A run before its end, after it, and delivered once more."""
    place = tmp_path_factory.mktemp("wandb")
    run = run_folder(finished.path, place / "runs" / "run_1")
    write_start(run, key="key1", backend="wandb", project_name="p", run_name="first", tags={"desk": "fx"})
    write_epochs(run, {1: 0.9, 2: 0.8})
    return place, run, [deliver_all([run])[0] for _ in range(2)]


def test_a_run_is_one_folder_however_often_it_is_delivered(shown) -> None:
    place, run, answers = shown
    assert [told["changed"] for told in answers] == [True, False]
    (folder,) = (place / "wandb" / "wandb").glob("offline-run-*")
    (run / "tracking.json").unlink()
    assert folder.name.endswith("key1")


def test_it_holds_curves_scores_plots_files_and_the_model(shown) -> None:
    (record,) = (shown[0] / "wandb" / "wandb").glob("offline-run-*/*.wandb")
    content = record.read_bytes()
    for word in (
        b"val_loss",
        b"classification/macro_f1",
        b"desk=fx",
        b"first",
        b"run_1-files",
        b"run_1-model",
        b"plots/",
    ):
        assert word in content, word


def test_a_server_that_is_away_is_told_as_one_to_try_again(finished, tmp_path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        run = run_folder(finished.path, tmp_path / "runs" / "run_1")
        write_start(run, backend="wandb", tracking_uri=f"http://127.0.0.1:{taken.getsockname()[1]}")
        (told,) = deliver_all([run])
    assert told["exit_code"] in (74, 75)
    assert "what" in told
