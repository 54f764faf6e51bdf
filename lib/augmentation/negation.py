"""Keep the negators of a text, since a text that lost one says the opposite of its label."""

from collections import defaultdict
from collections.abc import Sequence

from lib.augmentation.edits import Edit, words
from lib.corpus.negators import negators


def groups_that_negate(edits: Sequence[Edit], text: str) -> set[int]:
    """Return the groups of edits that remove or swap a negator, move a word past one, or add one.

    Args:
        edits: Edits of the text.
        text: The text before the edits.

    Returns:
        The numbers of the groups.
    """
    extent: dict[int, tuple[int, int]] = {}
    for edit in edits:
        start, end = extent.get(edit.group, (edit.start, edit.end))
        extent[edit.group] = min(start, edit.start), max(end, edit.end)
    places = negators(text)
    changed = {group for group, (a, b) in extent.items() if any(a < end and b > start for start, end in places)}
    added = {edit.group for edit in edits if negators(edit.text)}
    return changed | added | _groups_that_move(edits, text, places)


def _groups_that_move(edits: Sequence[Edit], text: str, places: Sequence[tuple[int, int]]) -> set[int]:
    """Return the groups that remove a word on one side of a negator and add it on the other side.

    A method that moves words and changes others gives edits in groups of their own, see `diff_edits`.
    """
    removed: dict[str, set[tuple[int, int]]] = defaultdict(set)
    added: dict[str, set[tuple[int, int]]] = defaultdict(set)
    for edit in edits:
        passed = sum(end <= edit.start for _, end in places)
        for found, part in ((removed, text[edit.start : edit.end]), (added, edit.text)):
            for word in words(part.lower()):
                found[word].add((passed, edit.group))
    moves = ((one, other) for word in removed for one in removed[word] for other in added[word])
    return {group for one, other in moves if one[0] != other[0] for group in (one[1], other[1])}


def join_groups_that_negate(edits: Sequence[Edit], text: str) -> list[Edit]:
    """Return edits that keep the negators together, as one group if some groups alone would not keep them.

    Args:
        edits: Edits of the text.
        text: The text before the edits.

    Returns:
        The same edits. They have one common group if some groups alone would not keep the negators.
    """
    return [edit._replace(group=0) for edit in edits] if groups_that_negate(edits, text) else list(edits)
