"""The error that a user can cause and fix.

Its lines say which file, row or key is wrong, what was expected, and what to do.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class UserError(Exception):
    """One or more problems, each with a line. The command line prints the lines and exits with status 1."""

    def __init__(self, lines: str | Iterable[str]) -> None:
        self.lines = [lines] if isinstance(lines, str) else list(lines)
        super().__init__("\n".join(self.lines))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Suggest the known name that is most similar to a wrong one.

    Args:
        name: The wrong name.
        known: The names to choose from.

    Returns:
        "; did you mean '…'?", to append to a message; '' if no known name is similar.
    """
    near = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else ""


def unknown_name(what: str, name: str, known: Sequence[str]) -> str:
    """Return the message for an unknown name.

    Args:
        what: What the name is of, e.g. "agent".
        name: The unknown name.
        known: All known names.

    Returns:
        A line that names the most similar known name, if there is one, and all known names.
    """
    return f"{what} '{name}' is unknown{did_you_mean(name, known)} (known: {', '.join(known)})"
