"""`runs …` and `verify` as a user types them."""

from __future__ import annotations

import pytest
from command_line import call, succeed

from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.training.settings import TrainerConfig
from ohlcv_factory.training.trainer import Trainer


@pytest.fixture
def folder(tmp_path):
    """Two logistic runs, of penalties 1.0 and 0.5."""
    config = DatasetConfig(horizons=(20,), features=("return_1",), embargo_days="auto")
    container = TimeSeriesDataContainer.from_bars(random_walk(2500, 7, bar_seconds=3600), horizon=20, config=config)
    runs = tmp_path / "runs"
    for number, penalty in enumerate((1.0, 0.5)):
        settings = TrainerConfig(model_name="logistic", horizon=20, model={"C": penalty}, output_dir=runs)
        Trainer(settings).run(container, run_id=f"run_{number}")
    return runs


def test_the_life_of_a_run_from_the_list_to_its_removal(folder) -> None:
    rows = succeed("runs", "list", folder, "--json").json
    assert [(row["run"], row["state"]) for row in rows] == [
        (str(folder / name), "FINISHED") for name in ("run_0", "run_1")
    ]
    text = succeed("runs", "list", folder).out
    assert text.splitlines()[0].split()[:3] == ["run", "state", "model"] and text.splitlines()[-1].startswith(
        "2 runs, "
    )
    assert succeed("runs", "show", folder / "latest", "--json").json["run"] == str(folder / "run_1")
    assert "state: FINISHED" in succeed("runs", "show", folder / "run_0").out
    (setting,) = [
        each
        for each in succeed("runs", "diff", folder / "run_0", folder / "run_1", "--json").json
        if each["kind"] == "setting"
    ]
    assert setting == {"kind": "setting", "name": "model.C", "first": 1.0, "second": 0.5}
    assert succeed("runs", "diff", folder / "run_0", folder / "run_0").out.strip() == "no difference"
    assert succeed("runs", "tag", folder / "run_0", "--add", "live").out.strip() == "run_0: live"
    tagged = succeed("runs", "list", folder, "--tag", "live", "--json").json
    assert [row["run"] for row in tagged] == [str(folder / "run_0")]
    assert "files are those that were written" in succeed("verify", folder / "run_0").out

    assert succeed("runs", "prune", folder, "--keep", "1", "--dry-run", "--json").json["would_remove"] == []
    succeed("runs", "tag", folder / "run_0", "--remove", "live")
    told = succeed("runs", "prune", folder, "--keep", "1", "--dry-run", "--json").json
    assert told["would_remove"] == ["run_0"] and told["removed"] == [] and (folder / "run_0").is_dir()
    assert succeed("runs", "prune", folder, "--keep", "1", "--json").json["removed"] == ["run_0"]
    assert succeed("runs", "index", folder.parent, "--json").json["index"] == str(folder.parent / "index.html")
    again = succeed("runs", "rm", folder / "run_1", folder / "latest", "--json").json
    assert again["removed"] == ["run_1"]
    assert succeed("runs", "list", folder).out.strip() == "no runs"


def test_a_changed_file_a_missing_folder_and_a_wrong_state_have_their_exit_codes(folder) -> None:
    (folder / "run_0" / "checkpoints" / "scaler.json").write_text("{}")
    assert call("verify", folder / "run_0").code == 76
    assert call("runs", "show", folder / "absent").code == 66
    assert call("runs", "list", folder, "--state", "DONE").code == 2
    assert call("runs", "rm", folder.parent).code == 66
    assert call("runs", "prune", folder, "--keep", "0").code == 2
