"""A page of sections as one HTML file that needs nothing else."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from jinja2 import Environment


@dataclass(frozen=True)
class Table:
    """Column names, and rows of as many cells."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]

    def markdown(self) -> str:
        """Return the table as Markdown."""
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


@dataclass(frozen=True)
class Section:
    """A heading with a note, pictures (<svg> elements) and tables. wide: its pictures scroll on a phone."""

    title: str
    note: str = ""
    pictures: Sequence[str] = ()
    tables: Sequence[Table] = field(default_factory=tuple)
    wide: bool = False

    @property
    def anchor(self) -> str:
        """Return the section's name within the page."""
        return re.sub(r"\W+", "-", self.title.lower()).strip("-")


def page(title: str, lead: Sequence[str], sections: Sequence[Section]) -> str:
    """Return the HTML. Sections without pictures and tables, and empty pictures, are left out."""
    kept = [
        Section(s.title, s.note, [picture for picture in s.pictures if picture], s.tables, s.wide)
        for s in sections
        if any(s.pictures) or s.tables
    ]
    template = files("lib.reporting").joinpath("report.html.j2").read_text(encoding="utf-8")
    return Environment(autoescape=True).from_string(template).render(title=title, lead=lead, sections=kept)
