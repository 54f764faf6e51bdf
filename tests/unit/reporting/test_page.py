"""The HTML pages of the report."""

from lib.reporting.page import Section, Table, render_page


def test_a_page_escapes_its_texts() -> None:
    made = render_page("<b>", ["a & b"], [Section("s", tables=[Table(["<i>"], [["<script>"]])]), Section("left out")])
    assert "<script>" not in made and "&lt;b&gt;" in made and "left out" not in made
