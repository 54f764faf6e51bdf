"""Find a sentence in its post: exactly, ignoring case, white space and Unicode form, or by fuzzy search."""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Set
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from lib.corpus.negators import negators
from lib.corpus.sentences import Characters, sentences

Match = Literal["exact", "normalised", "fuzzy", "none"]
_WORD_CHARACTERS = re.compile(r"\w\w")
# The number of words by which the ends of a fuzzy match may move.
_MOVED_WORDS = 4
# A negator denies nothing beyond these (Chapman et al., 2001, list more of them).
_CLAUSE_STARTS = frozenset(("but", "however", "although", "though", "yet", "except"))
_TYPOGRAPHY = str.maketrans({**dict.fromkeys("’‘`´ʼ′", "'"), "“": '"', "”": '"', "–": "-", "—": "-", "…": "..."})


@dataclass(frozen=True)
class SentenceMatch:
    """The characters [start, end) of a text, how they were found, and their similarity to the sentence in [0, 1]."""

    start: int
    end: int
    match: Match
    score: float = 1.0


@lru_cache(maxsize=256)
def normalise_text(text: str) -> tuple[str, tuple[int, ...]]:
    """Fold case, compatibility forms, accents, typographic punctuation and runs of white space.

    Marks and format characters (accents, zero-width joiners) are dropped, and white space becomes single spaces.

    Returns:
        The folded text and, for each of its characters, the index of the original character that it comes from.
    """
    characters: list[str] = []
    origin: list[int] = []
    for index, original in enumerate(text):
        for char in unicodedata.normalize("NFKD", original.translate(_TYPOGRAPHY)).casefold():
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


def locate_sentence(sentence: str, post: str, occurrence: int = 0, least_score: float = 1.0) -> SentenceMatch | None:
    """Find a copy of a sentence in a post.

    Args:
        sentence: The sentence to find.
        post: The text to search.
        occurrence: Which copy to find, from 0; the last one if there are fewer.
        least_score: Least similarity of an edited copy, see `_fuzzy`; 1 finds no edited copies.

    Returns:
        The span of the copy, exact if there is any exact copy; None if the sentence is not in the post.
    """
    if sentence and (starts := _occurrences(sentence, post)):
        start = starts[min(occurrence, len(starts) - 1)]
        return SentenceMatch(start, start + len(sentence), "exact")
    needle, _ = normalise_text(sentence)
    haystack, origin = normalise_text(post)
    if not needle or not haystack:
        return None
    if starts := _occurrences(needle, haystack):
        start = starts[min(occurrence, len(starts) - 1)]
        return SentenceMatch(origin[start], origin[start + len(needle) - 1] + 1, "normalised")
    if least_score >= 1:
        return None
    sentence_starts = {bisect_left(origin, start) for start, _ in sentences(post)}
    found = _fuzzy(needle, haystack, sentence_starts, least_score)
    if found is None:
        return None
    start, end, score = found
    return SentenceMatch(origin[start], origin[end - 1] + 1, "fuzzy", score)


def _fuzzy(needle: str, haystack: str, starts: Set[int], least_score: float) -> tuple[int, int, float] | None:
    """Find the part of a text that is most similar to a sentence, in whole words.

    Args:
        needle: What to find.
        haystack: Where to find it.
        starts: The places in the text where a sentence starts.
        least_score: Least similarity, the normalised indel similarity of rapidfuzz's `ratio` in [0, 1].

    Returns:
        Start, end and similarity; None if no part with as many negators is similar enough.
    """
    from rapidfuzz import fuzz

    # The alignment's window is as long as the shorter text, so its ends are then moved by a few words.
    near = fuzz.partial_ratio_alignment(needle, haystack, score_cutoff=100 * least_score - 20)
    if near is None:
        return None
    words = [match.span() for match in re.finditer(r"\S+", haystack)]
    first = next((i for i, (_, end) in enumerate(words) if end > near.dest_start), len(words) - 1)
    last = next((i for i, (_, end) in enumerate(words) if end >= near.dest_end), len(words) - 1)
    candidates = [
        (fuzz.ratio(needle, haystack[words[i][0] : words[j][1]]) / 100, i, j)
        for i in range(max(0, first - _MOVED_WORDS), min(len(words), first + _MOVED_WORDS + 1))
        for j in range(max(i, last - _MOVED_WORDS), min(len(words), last + _MOVED_WORDS + 1))
    ]
    wanted = len(negators(needle))
    for score, i, j in sorted(candidates, reverse=True):
        if score >= least_score and _negators_at(haystack, words, i, j, starts) == wanted:
            return words[i][0], words[j][1], score
    return None


def _negators_at(haystack: str, words: list[Characters], first: int, last: int, starts: Set[int]) -> int:
    """Count the negators of some words of a text, and those of the few words before them in the same clause."""
    before = first
    while before > max(0, first - _MOVED_WORDS) and not _starts_clause(haystack, words, before, starts):
        before -= 1
    return len(negators(haystack[words[before][0] : words[last][1]]))


def _starts_clause(haystack: str, words: list[Characters], number: int, starts: Set[int]) -> bool:
    start, end = words[number]
    after_stop = haystack[words[number - 1][1] - 1] in ".!?,;:"
    return start in starts or after_stop or haystack[start:end] in _CLAUSE_STARTS


def _occurrences(needle: str, haystack: str) -> list[int]:
    """Return where a text starts in another one, without overlaps, and neither within a word nor up to within one."""
    starts, at = [], haystack.find(needle)
    while at >= 0:
        end = at + len(needle)
        whole = not (_within_word(haystack, at) or _within_word(haystack, end))
        if whole:
            starts.append(at)
        at = haystack.find(needle, end if whole else at + 1)
    return starts


def _within_word(text: str, place: int) -> bool:
    return _WORD_CHARACTERS.fullmatch(text, max(0, place - 1), place + 1) is not None
