"""Split texts into sentences, by the same rule for prediction, the bag of words and augmentation."""

import re
from collections.abc import Iterable
from itertools import pairwise

_BOUNDARY = re.compile(r"(?<=[.!?])\s+|\n+")


def sentences(text: str, cuts: Iterable[int] = ()) -> list[tuple[int, int]]:
    """Split a text at line breaks, and after '.', '!' or '?' where white space follows.

    Args:
        text: Any text.
        cuts: More places to split at, in characters.

    Returns:
        The characters [start, end) of each sentence, in order, without white space at the ends.
    """
    places = sorted({0, len(text), *cuts, *(match.end() for match in _BOUNDARY.finditer(text))})
    spans = []
    for start, end in pairwise(places):
        part = text[start:end]
        if part.strip():
            spans.append((start + len(part) - len(part.lstrip()), start + len(part.rstrip())))
    return spans
