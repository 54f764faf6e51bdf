"""Find a sentence in its post, exactly or else ignoring case, white space and Unicode form."""

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Match = Literal["exact", "normalised", "none"]
_PUNCTUATION = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "..."})


@dataclass(frozen=True)
class Span:
    """The characters [start, end) of a text, and how they were found."""

    start: int
    end: int
    match: Match


@lru_cache(maxsize=256)
def fold_text(text: str) -> tuple[str, tuple[int, ...]]:
    """Fold case, compatibility forms, accents, typographic punctuation and runs of white space.

    Marks and format characters (accents, zero-width joiners) are dropped, and white space becomes single spaces.

    Returns:
        The folded text and, for each of its characters, the index of the original character that it comes from.
    """
    characters: list[str] = []
    origin: list[int] = []
    for index, original in enumerate(text):
        for char in unicodedata.normalize("NFKD", original.translate(_PUNCTUATION)).casefold():
            if unicodedata.category(char) in {"Mn", "Cf"}:
                continue
            space = char.isspace()
            if space and (not characters or characters[-1] == " "):
                continue
            characters.append(" " if space else char)
            origin.append(index)
    if characters and characters[-1] == " ":
        characters.pop()
        origin.pop()
    return "".join(characters), tuple(origin)


def locate(sentence: str, post: str, occurrence: int = 0) -> Span | None:
    """Find a copy of a sentence in a post.

    Args:
        sentence: The sentence to find.
        post: The text to search.
        occurrence: Which copy to find, from 0; the last one if there are fewer.

    Returns:
        The span of the copy, exact if there is any exact copy; None if the sentence is not in the post.
    """
    if sentence and (starts := _occurrences(sentence, post)):
        start = starts[min(occurrence, len(starts) - 1)]
        return Span(start, start + len(sentence), "exact")
    needle, _ = fold_text(sentence)
    haystack, origin = fold_text(post)
    if not needle or not (starts := _occurrences(needle, haystack)):
        return None
    start = starts[min(occurrence, len(starts) - 1)]
    return Span(origin[start], origin[start + len(needle) - 1] + 1, "normalised")


def _occurrences(needle: str, haystack: str) -> list[int]:
    starts, at = [], haystack.find(needle)
    while at >= 0:
        starts.append(at)
        at = haystack.find(needle, at + len(needle))
    return starts
