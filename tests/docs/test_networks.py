"""The page on networks runs, and its commands print what it says of them."""

from __future__ import annotations

import pytest


def test_the_page_runs(run_document, capsys) -> None:
    pytest.importorskip("torch")
    run_document("docs/networks.md")
    printed = capsys.readouterr().out
    assert "feature_set: neural_optimal" in printed
    assert "(preset small: 64)" in printed
    assert "\npreset: " in printed
