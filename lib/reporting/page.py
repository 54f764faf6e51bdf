"""A page of sections as one self-contained HTML file."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from jinja2 import Environment

from lib.metrics.formatting import markdown_table


@dataclass(frozen=True)
class Table:
    """A table with column names and rows, each with a cell for every column."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]

    def markdown(self) -> str:
        """Return the table as Markdown."""
        return markdown_table(self.columns, self.rows)


@dataclass(frozen=True)
class Section:
    """A section of a page.

    Attributes:
        title: Its heading.
        note: A paragraph below the heading.
        pictures: <svg> elements; '' is left out.
        tables: Tables below the pictures.
        wide: Whether its pictures scroll on a narrow screen instead of shrinking.
    """

    title: str
    note: str = ""
    pictures: Sequence[str] = ()
    tables: Sequence[Table] = field(default_factory=tuple)
    wide: bool = False

    @property
    def anchor(self) -> str:
        """Return the id of the section's heading, for links."""
        return re.sub(r"\W+", "-", self.title.lower()).strip("-")


def render_page(title: str, lead: Sequence[str], sections: Sequence[Section]) -> str:
    """Render a page; sections that have neither pictures nor tables are left out.

    Args:
        title: Its title and heading.
        lead: Paragraphs at the top.
        sections: Its sections, in order.

    Returns:
        The HTML. All texts are escaped except the pictures.
    """
    kept = [
        Section(s.title, s.note, [picture for picture in s.pictures if picture], s.tables, s.wide)
        for s in sections
        if any(s.pictures) or s.tables
    ]
    template = files("lib.reporting").joinpath("report.html.j2").read_text(encoding="utf-8")
    return Environment(autoescape=True).from_string(template).render(title=title, lead=lead, sections=kept)
