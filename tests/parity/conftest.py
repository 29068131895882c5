from __future__ import annotations

from pathlib import Path

import pytest

FROZEN = Path(__file__).parent / "frozen"


@pytest.fixture(params=["reference", "frozen"], autouse=True)
def arrays(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every parity test runs on the reference's arrays where they are, and on those of our own (`freeze.py`)."""
    if request.param == "frozen":
        monkeypatch.setenv("PARITY_DIR", str(FROZEN))
