"""Edits, which describe what a method changed in a text.

Edits can be counted, dropped one by one, and merged. Every method runs on the original text. Where several methods
change one text, their edits are merged unless they touch. A bank of single methods therefore serves every
combination, and the new places of answers are known exactly.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

import numpy as np

# FINE separates words and punctuation, and WHOLE separates only at white space.
_WORD = re.compile(r"\w+(?:['’]\w+)*")
FINE, WHOLE = re.compile(rf"{_WORD.pattern}|[^\w\s]"), re.compile(r"\S+")


class Edit(NamedTuple):
    """A replacement of characters.

    Attributes:
        group: Edits of one group belong together, such as the two places of a swap.
        start: The first character that is replaced.
        end: The end (exclusive) of these characters; equal to `start` for an insertion.
        text: The new characters.
    """

    group: int
    start: int
    end: int
    text: str


def words(text: str) -> list[str]:
    """Return the words of a text, without punctuation."""
    return _WORD.findall(text)


def diff_edits(old: str, new: str, token: re.Pattern[str]) -> list[Edit]:
    """Return the edits that turn one text into another, token by token.

    Changes of white space alone are not edits. If tokens only moved, consecutive edits form a group until as many
    tokens were added as removed. Otherwise each edit is a group of its own.

    Args:
        old: The original text.
        new: The changed text.
        token: Matches a token, `FINE` or `WHOLE`.

    Returns:
        The edits in order of their places in `old`.
    """
    before, after = list(token.finditer(old)), list(token.finditer(new))
    matcher = SequenceMatcher(None, [t.group() for t in before], [t.group() for t in after], autojunk=False)
    edits, removed, added = [], Counter[str](), Counter[str]()
    balance: list[int] = []  # after each edit, the number of tokens that are missing or surplus so far
    for kind, i, j, k, m in matcher.get_opcodes():
        if kind == "equal":
            continue
        # The edit reaches from the token before to the token after, so it includes the new text's white space there.
        start, end = _between(before, i, j, len(old))
        text = new[slice(*_between(after, k, m, len(new)))]
        removed.update(t.group().lower() for t in before[i:j])
        added.update(t.group().lower() for t in after[k:m])
        balance.append((removed - added).total() + (added - removed).total())
        edits.append(_trimmed(old, Edit(0, start, end, text)))
    moved = bool(balance) and balance[-1] == 0
    group, numbered = 0, []
    for edit, unmatched in zip(edits, balance, strict=True):
        numbered.append(edit._replace(group=group))
        group += int(not moved or unmatched == 0)
    return numbered


def _between(tokens: Sequence[re.Match[str]], first: int, last: int, length: int) -> tuple[int, int]:
    """Return the characters of the tokens [first, last) and the space around them, except at the text's ends."""
    start = tokens[first - 1].end() if first else tokens[0].start() if tokens else 0
    end = tokens[last].start() if last < len(tokens) else tokens[-1].end() if tokens else length
    return start, end


def _trimmed(old: str, edit: Edit) -> Edit:
    """Shrink an edit by the white space at its ends that stays the same."""
    group, start, end, text = edit
    while start < end and text and old[start] == text[0] and old[start].isspace():
        start, text = start + 1, text[1:]
    while start < end and text and old[end - 1] == text[-1] and old[end - 1].isspace():
        end, text = end - 1, text[:-1]
    return Edit(group, start, end, text)


def touches(edit: Edit, spans: Iterable[tuple[int, int]]) -> bool:
    """Return whether an edit changes a character of a span or inserts something within it.

    Args:
        edit: The edit.
        spans: Characters [start, end) of the original text.

    Returns:
        True if that holds for any of the spans.
    """
    return any(edit.start < end and edit.end > start for start, end in spans)


def keep_groups(edits: Sequence[Edit], groups: Iterable[int]) -> list[Edit]:
    """Return the edits of some groups.

    Args:
        edits: All edits.
        groups: The groups to keep.

    Returns:
        The edits that are kept, in their order.
    """
    wanted = set(groups)
    return [edit for edit in edits if edit.group in wanted]


def _size(text: str, edit: Edit) -> int:
    """Count the words that an edit changes; an insertion counts as one."""
    return max(1, len(words(text[edit.start : edit.end])))


def count_altered_words(text: str, new: str) -> int:
    """Count the words of a text that another text alters.

    Args:
        text: The original text.
        new: The changed text.

    Returns:
        The words that the edits change. With equal numbers of words it is at most the number of places at which the
        words differ.
    """
    before, after = words(text), words(new)
    by_edits = sum(_size(text, edit) for edit in diff_edits(text, new, FINE))
    in_place = sum(a != b for a, b in zip(before, after, strict=False))
    return min(by_edits, in_place) if len(before) == len(after) else by_edits


def max_altered_words(text: str, strength: float) -> int:
    """Return the number of words that a method may alter.

    Args:
        text: The original text.
        strength: The strength, as a share of the text's words.

    Returns:
        The share of the words, rounded up, but at least two, since a swap alters two.
    """
    return max(2, math.ceil(strength * len(words(text)) - 1e-9))


def limit_edits(edits: list[Edit], text: str, strength: float, rng: np.random.Generator) -> list[Edit]:
    """Keep random groups of edits that change at most a share of the words, but at least one group.

    Args:
        edits: All edits.
        text: The original text.
        strength: The strength, as a share of the text's words; the number of words is rounded up.
        rng: Draws the order in which groups are tried.

    Returns:
        The edits of the kept groups, in their order.
    """
    room = max(1, math.ceil(strength * len(words(text)) - 1e-9))
    sizes: Counter[int] = Counter()
    for edit in edits:
        sizes[edit.group] += _size(text, edit)
    kept: list[int] = []
    total = 0
    for group in rng.permutation(sorted(sizes)).tolist():
        if not kept or total + sizes[group] <= room:
            kept.append(group)
            total += sizes[group]
    return keep_groups(edits, kept)


def merge_edits(variants: Iterable[Sequence[Edit]]) -> tuple[list[Edit], list[int]]:
    """Merge the edits of several methods. A group that touches an edit of an earlier method is left out.

    Args:
        variants: The edits of each method on the same text.

    Returns:
        The merged edits in order of their places, and the number of edits taken from each method.
    """
    taken: list[Edit] = []
    counts: list[int] = []
    for edits in variants:
        own: list[Edit] = []
        for group in dict.fromkeys(edit.group for edit in edits):
            members = [edit for edit in edits if edit.group == group]
            if not any(m.start <= t.end and m.end >= t.start for m in members for t in taken):
                own += members
        taken += own
        counts.append(len(own))
    return sorted(taken, key=lambda edit: (edit.start, edit.end)), counts


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """Return a text with edits applied.

    Args:
        text: The original text.
        edits: Edits without overlap, in order of their places.

    Returns:
        The new text.
    """
    parts, at = [], 0
    for edit in edits:
        parts += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join([*parts, text[at:]])
