"""The page on audits runs, and its table of leaks names checks that there are."""

from __future__ import annotations

import re

import pytest

from ohlcv_factory.audit import fit_checks, subject
from ohlcv_factory.audit.canary import CANARY_LIMIT
from ohlcv_factory.audit.checks import CHECKS
from ohlcv_factory.audit.foreknowledge import FOREKNOWLEDGE_LIMIT
from ohlcv_factory.audit.power import BLOCK_BARS, NULL_LIMIT

PAGE = "docs/audit.md"


@pytest.fixture
def text(pytestconfig):
    return (pytestconfig.rootpath / PAGE).read_text(encoding="utf-8")


def test_the_page_runs_in_its_order(run_document, capsys, monkeypatch):
    monkeypatch.setattr(fit_checks, "NULL_BARS", 16_000)
    monkeypatch.setattr(fit_checks, "PLANTED_BETA", 0.6)
    monkeypatch.setattr(subject, "MODEL_BARS", 6000)
    run_document(PAGE)
    out = capsys.readouterr().out
    assert "19 pass" in out
    assert "[('span-overlap', 'pass', 0.0), ('duplicated-rows', 'pass', 0.0)] False" in out


def test_each_leak_is_found_by_checks_that_there_are(text):
    table = text.partition("| Leak | Found by |")[2].partition("\n\n")[0]
    named = {name for line in table.splitlines() for name in re.findall(r"`([a-z-]+)`", line)}
    assert named <= {check.name for check in CHECKS}
    assert len(named) >= 10


def test_the_page_has_the_limits_of_the_code(text):
    words = " ".join(text.split())
    assert f"the limit is {CANARY_LIMIT:g}" in words
    assert f"on {fit_checks.NULL_BARS:,} synthetic bars" in words
    assert f"the z of {BLOCK_BARS}-bar blocks: within {NULL_LIMIT:g}" in words
    assert f"correlation above {FOREKNOWLEDGE_LIMIT:g}" in words
