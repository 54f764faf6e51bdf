"""Keep the negators of a text, since a text that lost one says the opposite of its label."""

import re
from collections.abc import Iterable, Sequence

from lib.augmentation.edits import Edit

_NEGATORS = (
    "no not never none nobody nothing nowhere neither nor no-one without cannot hardly barely scarcely rarely seldom"
    " aint arent cant couldnt didnt doesnt dont hadnt hasnt havent isnt shouldnt wasnt werent wont wouldnt"
)
_NEGATOR = re.compile(rf"(?<!\w)(?:{'|'.join(_NEGATORS.split())}|\w+n['’]t)(?!\w)", re.IGNORECASE)


def negators(text: str) -> list[tuple[int, int]]:
    """Return the characters [start, end) of the negators of a text: words such as 'never', and forms in n't."""
    return [match.span() for match in _NEGATOR.finditer(text)]


def groups_that_negate(edits: Sequence[Edit], spans: Iterable[tuple[int, int]]) -> set[int]:
    """Return the groups of edits that remove or swap a negator, move a word past one, or add one.

    Args:
        edits: Edits of a text.
        spans: The negators of the text.
    """
    extent: dict[int, tuple[int, int]] = {}
    for edit in edits:
        start, end = extent.get(edit.group, (edit.start, edit.end))
        extent[edit.group] = min(start, edit.start), max(end, edit.end)
    places = list(spans)
    changed = {group for group, (a, b) in extent.items() if any(a < end and b > start for start, end in places)}
    return changed | {edit.group for edit in edits if negators(edit.text)}
