"""Cut texts into sentences."""

import re

_SENTENCE = re.compile(r"[^.!?\n]*[.!?]*\n?")


def sentences(text: str) -> list[tuple[int, int]]:
    """Cut a text after '.', '!', '?' and line breaks. Returns the characters of each piece without white space."""
    spans = []
    for match in _SENTENCE.finditer(text):
        piece = match.group()
        if stripped := piece.strip():
            start = match.start() + piece.index(stripped)
            spans.append((start, start + len(stripped)))
    return spans
