"""What a method did to a text, as edits: they can be counted, refused one by one, and put together.

A method is run on the original text only. Several methods on one text are their edits put together where they do not
touch each other; so a bank of single methods serves every combination, and places in the text are carried exactly.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

import numpy as np

# Words and punctuation apart; and what white space sets apart.
_WORD = re.compile(r"\w+(?:['’]\w+)*")
FINE, WHOLE = re.compile(rf"{_WORD.pattern}|[^\w\s]"), re.compile(r"\S+")


class Edit(NamedTuple):
    """text[start:end] becomes `text`. Edits of one group belong together: the two ends of a swap."""

    group: int
    start: int
    end: int
    text: str


def words(text: str) -> list[str]:
    """Return the words of a text."""
    return _WORD.findall(text)


def diff_edits(old: str, new: str, token: re.Pattern[str]) -> list[Edit]:
    """Return the edits that turn `old` into `new`, token by token; changes of white space alone are none."""
    before, after = list(token.finditer(old)), list(token.finditer(new))
    matcher = SequenceMatcher(None, [t.group() for t in before], [t.group() for t in after], autojunk=False)
    edits, removed, added = [], Counter[str](), Counter[str]()
    balance: list[int] = []  # after each edit: words that are missing or too many so far
    for kind, i, j, k, m in matcher.get_opcodes():
        if kind == "equal":
            continue
        # From the end of the token before to the start of the one after, with the white space that `new` has there.
        start, end = _between(before, i, j, len(old))
        text = new[slice(*_between(after, k, m, len(new)))]
        removed.update(t.group().lower() for t in before[i:j])
        added.update(t.group().lower() for t in after[k:m])
        balance.append((removed - added).total() + (added - removed).total())
        edits.append(_trimmed(old, Edit(0, start, end, text)))
    moved = bool(balance) and balance[-1] == 0
    group, numbered = 0, []
    for edit, left in zip(edits, balance, strict=True):
        numbered.append(edit._replace(group=group))
        # Words that moved: edits belong together until as many were added as removed. Else each stands alone.
        group += int(not moved or left == 0)
    return numbered


def _between(tokens: Sequence[re.Match[str]], first: int, last: int, length: int) -> tuple[int, int]:
    """Return where the tokens [first, last) are, with the space around them; at the ends of a text without it."""
    start = tokens[first - 1].end() if first else tokens[0].start() if tokens else 0
    end = tokens[last].start() if last < len(tokens) else tokens[-1].end() if tokens else length
    return start, end


def _trimmed(old: str, edit: Edit) -> Edit:
    """Leave white space that stays as it is out of an edit."""
    group, start, end, text = edit
    while start < end and text and old[start] == text[0] and old[start].isspace():
        start, text = start + 1, text[1:]
    while start < end and text and old[end - 1] == text[-1] and old[end - 1].isspace():
        end, text = end - 1, text[:-1]
    return Edit(group, start, end, text)


def touches(edit: Edit, spans: Iterable[tuple[int, int]]) -> bool:
    """Whether an edit changes, or is put into the middle of, one of the spans [start, end)."""
    return any(edit.start < end and edit.end > start for start, end in spans)


def keep_groups(edits: Sequence[Edit], groups: Iterable[int]) -> list[Edit]:
    """Return the edits of these groups."""
    wanted = set(groups)
    return [edit for edit in edits if edit.group in wanted]


def _size(text: str, edit: Edit) -> int:
    """Count the words an edit changes; one that only puts something in counts as one."""
    return max(1, len(words(text[edit.start : edit.end])))


def count_altered_words(text: str, new: str) -> int:
    """Count the words that are not as they were: in their places, or, where places shift, by edits."""
    before, after = words(text), words(new)
    by_edits = sum(_size(text, edit) for edit in diff_edits(text, new, FINE))
    in_place = sum(a != b for a, b in zip(before, after, strict=False))
    return min(by_edits, in_place) if len(before) == len(after) else by_edits


def max_altered_words(text: str, share: float) -> int:
    """Return how many words a method may alter at a strength: this share, but always the two of a swap."""
    return max(2, math.ceil(share * len(words(text)) - 1e-9))


def limit_edits(edits: list[Edit], text: str, share: float, rng: np.random.Generator) -> list[Edit]:
    """Keep a random part of the groups: those that change at most this share of the words, and at least one group.

    A share of less than one word is one word.
    """
    room = max(1, math.ceil(share * len(words(text)) - 1e-9))
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
    """Put the edits of several methods together, first come, first served.

    A group that touches an edit that is already there is left out. Returns the edits in order, and how many edits of
    each method were taken.
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
    """Apply edits, in order of their places and without overlap."""
    parts, at = [], 0
    for edit in edits:
        parts += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join([*parts, text[at:]])
