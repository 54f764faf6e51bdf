"""Reserved terms, which are never altered, and TF-IDF weights, by which the antonym guard allows edits."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from lib.augmentation.edits import Edit, words
from lib.corpus.tfidf import WORD_TO_IDF


class ReservedTerms:
    """Finds reserved terms in a text, as whole words or phrases in any case."""

    def __init__(self, terms: Iterable[str]) -> None:
        longest_first = sorted({term.strip() for term in terms if term.strip()}, key=lambda term: (-len(term), term))
        alternatives = "|".join(re.escape(term).replace(r"\ ", r"\s+") for term in longest_first)
        self._pattern = re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)", re.IGNORECASE) if alternatives else None

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return the characters [start, end) of the reserved terms in a text."""
        return [match.span() for match in self._pattern.finditer(text)] if self._pattern else []


class TfidfWeights:
    """TF-IDF weights of words. A weight is the word's count in the text times its IDF in the agent's cache."""

    def __init__(self, idf: Mapping[str, float]) -> None:
        self._idf = idf

    @classmethod
    def read(cls, folder: Path) -> "TfidfWeights":
        """Read the IDF of single words from the TF-IDF cache."""
        lines = (folder / WORD_TO_IDF).read_text(encoding="utf-8").splitlines()
        return cls({word: float(idf) for word, idf in (line.rsplit(" ", 1) for line in lines)})

    def is_low(self, text: str, edits: Iterable[Edit]) -> list[bool]:
        """Return whether each edit changes only words of low weight.

        A weight is low if it is at most the median weight of the text's distinct words that the cache knows. A word
        that the cache does not know is not low.

        Args:
            text: The original text.
            edits: Edits of that text.

        Returns:
            One value for each edit. Insertions change no word, so their value is True.
        """
        counts = Counter(word.lower() for word in words(text))
        weight = {word: n * self._idf[word] for word, n in counts.items() if word in self._idf}
        middle = float(np.median(list(weight.values()))) if weight else 0.0
        return [
            all(weight.get(word.lower(), np.inf) <= middle for word in words(text[edit.start : edit.end]))
            for edit in edits
        ]
