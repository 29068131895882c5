"""The page on live sessions runs."""

from __future__ import annotations


def test_the_page_runs_in_its_order(run_document):
    run_document("docs/live.md")
