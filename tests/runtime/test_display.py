"""HTML for notebooks: values are inert, numbers are short, nothing is shown as None."""

from __future__ import annotations

from ohlcv_factory.runtime.display import html_paragraph, html_table


def test_a_table_rounds_floats_dashes_none_and_names_each_row() -> None:
    assert html_table("T", ("name", "a", "b"), [["x", 0.12345, None], ["y", 3, "z"]]) == (
        "<table><caption><b>T</b></caption>"
        '<thead><tr><th scope="col">name</th><th scope="col">a</th><th scope="col">b</th></tr></thead>'
        '<tbody><tr><th scope="row">x</th><td>0.123</td><td>-</td></tr>'
        '<tr><th scope="row">y</th><td>3</td><td>z</td></tr></tbody></table>'
    )


def test_markup_in_a_value_stays_text() -> None:
    assert "<script>" not in html_table("<script>", ("<script>",), [["<script>"]]) + html_paragraph("<script>")
