from __future__ import annotations

from ohlcv_factory.reports.page import Markup, Section, bullets, compose, facts, paragraph, table


def test_cells_are_inert_unless_they_are_markup():
    html = table(("Name", "<b>"), [("<script>", Markup("<i>x</i>"))])
    assert "&lt;script&gt;" in html
    assert "&lt;b&gt;" in html
    assert "<i>x</i>" in html


def test_all_other_words_are_inert():
    pieces = paragraph("<script>") + bullets(["<script>"]) + facts([("<script>", "<script>")])
    assert "<script>" not in pieces


def test_groups_of_rows_are_set_apart_and_empty_ones_left_out():
    assert table(("Name",), [("a",)], [("b",)], []).count("<tbody>") == 2


def test_a_page_links_to_its_sections_and_forbids_the_network():
    page = compose("T<", "<p>lead</p>", [Section("One & two", "one", "<p>x</p>")], "end")
    assert "<h1>T&lt;</h1>" in page
    assert '<a href="#one">One &amp; two</a>' in page
    assert '<section id="one">' in page
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in page
