"""Pictures for pages: SVG that takes its ink from the page, so that one file serves both themes and print."""

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

# Okabe and Ito's colours, which colour-blind people tell apart; all stand out from black and from white.
BLUE, ORANGE, GREEN, RED, PURPLE, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#999999"
COLOURS = (BLUE, ORANGE, GREEN, RED, PURPLE, GREY)
# Stands for the page's own ink; no colour that a picture would use.
_INK = "#010203"
_STYLE: Any = {
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "axes.titlecolor", "xtick.color"), _INK),
    "ytick.color": _INK,
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


def drawn(draw: Drawing) -> Drawing:
    """Make a function draw in this style."""

    @wraps(draw)
    def styled(*arguments: Any, **named: Any) -> str:
        with matplotlib.rc_context(_STYLE):
            return draw(*arguments, **named)

    return cast(Drawing, styled)


def figure(width: float = 6.4, height: float = 3.2, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """Return a figure and its axes side by side."""
    made = Figure(figsize=(width, height), layout="constrained")
    found = made.subplots(1, columns, squeeze=False)[0]
    return made, list(found)


def svg(made: Figure, name: str, title: str) -> str:
    """Return a figure as an <svg> element. name: makes its ids its own on a page. title: for those who cannot see."""
    buffer = io.StringIO()
    made.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(_INK, "currentColor")
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{name}-", text)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    # On a wide page a picture is no larger than it was meant to be.
    width = f"max-width:{made.get_figwidth() * 96 * 1.2:.0f}px"
    return text.replace("<svg", f'<svg role="img" aria-label="{title}" style="{width}"', 1)


def save_svg(drawing: str, path: Path) -> None:
    """Write a picture as a file of its own; where there is nothing to draw, one that says so."""
    empty = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 300 30"><text x="8" y="20">nothing to show</text></svg>'
    )
    write_text(path, f"{drawing or empty}\n")


def legend(axes: Axes) -> None:
    """Put a legend where it hides least."""
    axes.legend(fontsize=8)


def label(axes: Axes, x: str, y: str = "", title: str = "") -> None:
    """Name axes."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if title:
        axes.set_title(title, loc="left")


def whole(axes: Axes) -> None:
    """Mark whole numbers only on the x axis."""
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def categories(axes: Axes, names: Sequence[str]) -> None:
    """Write names down the y axis, the first on top."""
    axes.set_yticks(range(len(names)), list(names))
    axes.invert_yaxis()
