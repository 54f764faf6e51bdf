"""SVG figures that take the page's text colour, so that they fit a light theme, a dark theme and print."""

import io
import re
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lib.files.atomic import write_text

# Okabe and Ito's colours, which colour-blind people can distinguish. All are visible on black and on white.
BLUE, ORANGE, GREEN, RED, PURPLE, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#999999"
COLOURS = (BLUE, ORANGE, GREEN, RED, PURPLE, GREY)
# A placeholder for the page's text colour, which no figure uses otherwise.
_TEXT_COLOUR = "#010203"
_STYLE: Any = {
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "axes.titlecolor", "xtick.color"), _TEXT_COLOUR
    ),
    "ytick.color": _TEXT_COLOUR,
    "svg.fonttype": "none",
    "svg.hashsalt": "lib",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "axes.titlesize": 10,
}


Drawing = TypeVar("Drawing", bound=Callable[..., str])


def with_style(draw: Drawing) -> Drawing:
    """Decorate a function so that it draws in the style of this module."""

    @wraps(draw)
    def styled(*arguments: Any, **named: Any) -> str:
        with matplotlib.rc_context(_STYLE):
            return draw(*arguments, **named)

    return cast(Drawing, styled)


def create_figure(width: float = 6.4, height: float = 3.2, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """Create a figure.

    Args:
        width: Width in inches.
        height: Height in inches.
        columns: Number of axes, next to each other.

    Returns:
        The figure and its axes.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    found = figure.subplots(1, columns, squeeze=False)[0]
    return figure, list(found)


def render_svg(figure: Figure, name: str, title: str) -> str:
    """Render a figure as an <svg> element.

    Args:
        figure: The figure.
        name: Prefix of its ids, which makes them unique on a page.
        title: Description for screen readers.

    Returns:
        The element, which is as wide as its parent allows.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(_TEXT_COLOUR, "currentColor")
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{name}-", text)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    # At 96 pixels an inch, a figure is at most 1.2 times as wide as it was drawn, even on a wide page.
    width = f"max-width:{figure.get_figwidth() * 96 * 1.2:.0f}px"
    return text.replace("<svg", f'<svg role="img" aria-label="{title}" style="{width}"', 1)


def save_svg(drawing: str, path: Path) -> None:
    """Write a figure as a file of its own.

    Args:
        drawing: The <svg> element; '' writes a file that says that there is nothing to show.
        path: File to write or replace.
    """
    empty = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 300 30"><text x="8" y="20">nothing to show</text></svg>'
    )
    write_text(path, f"{drawing or empty}\n")


def legend(axes: Axes) -> None:
    """Add a legend where it hides least."""
    axes.legend(fontsize=8)


def set_labels(axes: Axes, x: str, y: str = "", title: str = "") -> None:
    """Label axes.

    Args:
        axes: The axes to label.
        x: Label of the x axis.
        y: Label of the y axis.
        title: Title above the axes; '' for none.
    """
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if title:
        axes.set_title(title, loc="left")


def integer_ticks(axes: Axes) -> None:
    """Place ticks at whole numbers only on the x axis."""
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def label_y_axis(axes: Axes, names: Sequence[str]) -> None:
    """Label the y axis with names from top to bottom.

    Args:
        axes: The axes, whose y coordinates are 0, 1, 2, …
        names: The name of each coordinate.
    """
    axes.set_yticks(range(len(names)), list(names))
    axes.invert_yaxis()
