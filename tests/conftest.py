"""Hypothesis draws the same cases and torch the same weights in every run, so that a change is what turns a test red.

`HYPOTHESIS_PROFILE=search` draws new ones.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("repeat", derandomize=True)
settings.register_profile("search", derandomize=False, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeat"))


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What models keep beside their runs goes to a folder of this session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACTORY_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def _same_weights_in_every_run() -> None:
    """A network that a test builds without a seed of its own starts from the same weights, whatever ran before it."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Tiny random checkpoints under the names that the foundation models ask for by default, found for the whole session."""
    import checkpoints

    folder = checkpoints.fill(tmp_path_factory.mktemp("shelf"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACTORY_CHECKPOINTS", str(folder))
        yield folder


@pytest.fixture(scope="session")
def board_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Run folders by group, to be read only, see `board_runs.make_board_runs`."""
    from board_runs import make_board_runs

    return make_board_runs(tmp_path_factory.mktemp("board"))


@pytest.fixture(scope="session")
def board_studies(tmp_path_factory: pytest.TempPathFactory, board_runs: dict[str, list[Path]]) -> list[Path]:
    """Folders of cross-validations on the dataset of `board_runs`, to be read only."""
    from board_runs import make_board_studies

    dataset = next(iter(board_runs.values()))[0].parent.parent / "dataset"
    return make_board_studies(tmp_path_factory.mktemp("board_studies"), dataset)
