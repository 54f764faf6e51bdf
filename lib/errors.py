"""The error a user can cause: lines that say which file, row or key, what was expected, and what to do."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class UserError(Exception):
    """One or more problems, a line each. The command line prints the lines and exits with 1."""

    def __init__(self, lines: str | Iterable[str]) -> None:
        self.lines = [lines] if isinstance(lines, str) else list(lines)
        super().__init__("\n".join(self.lines))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return '; did you mean …?' with the nearest of the known names, or '' where none is near."""
    near = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else ""


def unknown_name(what: str, name: str, known: Sequence[str]) -> str:
    """Return the line for a name that is not among the known ones."""
    return f"{what} '{name}' is unknown{did_you_mean(name, known) or ';'} (known: {', '.join(known)})"
