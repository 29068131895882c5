from __future__ import annotations

import pytest
from job_kinds import teach_workers


@pytest.fixture(autouse=True)
def test_kind(tmp_path, monkeypatch):
    """A kind of job that does what its settings say, here and in workers."""
    teach_workers(monkeypatch, tmp_path)


@pytest.fixture
def study(tmp_path):
    """The folder of a study."""
    return tmp_path / "study"
