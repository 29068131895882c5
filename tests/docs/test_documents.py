"""Documents say what the code says: generated parts, the table of numbers, links, exit codes, layers."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest

from ohlcv_factory.bars.sessions import CALENDARS
from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.training.settings import TrainerConfig
from ohlcv_factory.training.trainer import Trainer

PAGES = (
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/audit.md",
    "docs/cluster.md",
    "docs/data.md",
    "docs/decisions.md",
    "docs/dialects.md",
    "docs/features.md",
    "docs/foundation.md",
    "docs/glossary.md",
    "docs/labels.md",
    "docs/live.md",
    "docs/networks.md",
    "docs/numbers.md",
    "docs/own_features.md",
    "docs/refused_keys.md",
    "docs/running.md",
    "docs/sessions.md",
    "docs/storage.md",
    "docs/studies.md",
    "docs/tracking.md",
)
LINK = re.compile(r"\]\((?!http)([^)#]+)\)")
ENTRY = re.compile(r"`([a-z0-9_]+)`")
ENTRY_NAME = re.compile(r"`([^`]+)`")
FILE = re.compile(r"^\s*([\w.<>*-]+\.(?:json|yaml|parquet|npy|npz|png|log|html|sqlite|\*))\s", re.MULTILINE)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A small finished run."""
    config = DatasetConfig(horizons=(20,), features=("return_1", "rsi_14"), embargo_days="auto")
    container = TimeSeriesDataContainer.from_bars(random_walk(4000, 7, bar_seconds=3600), horizon=20, config=config)
    folder = tmp_path_factory.mktemp("experiments") / "runs"
    return Trainer(TrainerConfig(model_name="logistic", horizon=20, output_dir=folder)).run(container)


def test_the_generated_parts_are_what_the_code_says_today(pytestconfig) -> None:
    pytest.importorskip("torch", reason="the pages list the networks too")
    command = [sys.executable, "docs/generate.py", "--check"]
    done = subprocess.run(command, cwd=pytestconfig.rootpath, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(pytestconfig, page) -> None:
    path = pytestconfig.rootpath / page
    targets = LINK.findall(path.read_text(encoding="utf-8"))
    assert [target for target in targets if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("block", ["classification", "trading"])
def test_the_table_of_numbers_names_every_number_and_no_other(pytestconfig, run, block) -> None:
    section = (
        (pytestconfig.rootpath / "docs" / "numbers.md").read_text().partition(f"## `{block}`")[2].partition("\n## ")[0]
    )
    described = [ENTRY.findall(line.split("|")[1]) for line in section.splitlines() if line.startswith("| `")]
    assert sorted(np.concatenate(described).tolist()) == sorted(run.evaluation[block])


def test_the_page_of_numbers_names_every_entry_beside_them(pytestconfig, run) -> None:
    named = set(ENTRY.findall((pytestconfig.rootpath / "docs" / "numbers.md").read_text()))
    assert set(run.evaluation) <= named
    assert set(run.evaluation["baselines"]) <= named


def test_the_architecture_names_every_file_of_a_run(pytestconfig, run) -> None:
    named = set(FILE.findall((pytestconfig.rootpath / "ARCHITECTURE.md").read_text()))
    patterns = {name.replace("*", "").replace("<part>", "val") for name in named}
    written = [path.name for path in run.path.rglob("*") if path.is_file()]
    assert [name for name in written if not any(name.startswith(each) for each in patterns)] == []


def test_the_architecture_names_every_layer(pytestconfig) -> None:
    text = (pytestconfig.rootpath / "ARCHITECTURE.md").read_text()
    root = pytestconfig.rootpath / "src" / "ohlcv_factory"
    folders = [path.name for path in root.iterdir() if (path / "__init__.py").exists()]
    assert [name for name in folders if f"{name}/" not in text] == []


def test_the_table_of_calendars_names_every_calendar_with_its_exchange(pytestconfig) -> None:
    lines = (pytestconfig.rootpath / "docs" / "sessions.md").read_text().splitlines()
    rows = [line.split(" | ") for line in lines if line.startswith("| `")]
    named = {row[0].strip("| `"): (ENTRY_NAME.search(row[2]) or [None, None])[1] for row in rows}
    assert named == {name: calendar.exchange for name, calendar in CALENDARS.items()}
