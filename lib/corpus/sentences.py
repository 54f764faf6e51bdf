"""Cut texts into sentences, by one rule for the corpus, prediction, augmentation and the bag of words."""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # importing NLTK takes a second or two
    from nltk.tokenize.punkt import PunktSentenceTokenizer

Characters = tuple[int, int]

# Abbreviations that end with a full stop within a sentence, without that stop.
_ABBREVIATIONS = frozenset(
    [
        "dr",
        "mr",
        "mrs",
        "ms",
        "prof",
        "rev",
        "lt",
        "sgt",
        "capt",
        "mt",
        "st",
        "jr",
        "sr",
        "vs",
        "approx",
        "avg",
        "ca",
        "cf",
        "resp",
        "incl",
        "esp",
        "fig",
        "dept",
        "e.g",
        "i.e",
        "a.m",
        "p.m",
        "u.s",
        "u.k",
        "ph.d",
        "m.d",
        "b.i.d",
        "t.i.d",
        "q.i.d",
        "p.r.n",
    ]
)
# Abbreviations that end a sentence or not. They do not before a number, or before a lower-case word that is not a
# usual start of a sentence in posts.
_MAY_GO_ON = re.compile(
    r"(?<![A-Za-z.])(?:(?:No|Nos|pp?|(?i:jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec))\.(?=\s+\d)"
    r"|(?i:etc|mc?g|ml|kg|lbs?|oz|hrs?|mins?|secs?|yrs?|wks?|mos?|tabs?)\."
    r"(?=\s+(?!(?:i|im|ive|my|he|she|it|its|we|they|you|this|that|there|then|so|but|now)\b)[a-z]))"
)
# The number of a list item, which does not end a sentence.
_NUMBER = re.compile(r"(?:^\s*|:\s+)\(?(?:\d{1,3}|[a-hA-H])[.)]$")
_LINE = re.compile(r"[^\n\r\v\f\x85\u2028\u2029]+")
_STOPS = re.compile(r"(?:(?<=[!?])[!?]+)?")
_WORD_CHARACTER = re.compile(r"\w")
# The sign of a list item, which begins a sentence even within a line.
_BULLET = re.compile(r"(?:(?<=\s)|^)(?:[•‣◦▪]|(?<!\d\s)\*|\*(?!\s+\d))(?=\s)")
# The number of an item in a line.
_ITEM = re.compile(r"(?:(?<=\s)|^)\(?(\d{1,2})[.)](?=\s)")
# The end of a sentence without white space behind it. The word before it is not an initial, but may be an
# abbreviation.
_NO_SPACE = re.compile(
    r"((?<![A-Za-z])[A-Za-z]*(?:[a-z]{2}|['’][a-z]|[A-Z]{3})|\w[)\]”\"])[.!?]+(?=I\b|[A-Z][a-z'’])"
)
_UNBROKEN = re.compile(r"\S+")
_ADDRESS = re.compile(r"://|www\.|@")
# Ends that Punkt takes for the middle of a sentence: an ellipsis, unless someone only stutters, and a time of day.
_NOT_FOR_PUNKT = re.compile(
    r"(?:(?<!\bI)(?<!\.)(?:\.{2,}|…)[)\]”\"]*(?=\s+[(\[“\"]?[A-Z])"
    r"|\b[ap]\.m\.(?=\s+(?:I|He|She|We|They|It|My|The|Then|But|And|So|Now)\b))"
)


def sentences(text: str, cuts: Iterable[int] = ()) -> list[Characters]:
    """Cut a text at line breaks, before list items, and where NLTK's Punkt finds the end of a sentence.

    Punkt (Kiss & Strunk, 2006) runs with a list of abbreviations and without a trained model, so it needs no data. A
    sentence also ends where the white space after it is missing, as in 'I cried.I left'. A part without any word,
    such as ':(', belongs to the sentence before it.

    Args:
        text: Any text.
        cuts: More places to cut at, in characters.

    Returns:
        The characters [start, end) of each sentence, in order, without white space at the ends.
    """
    starts = sorted({0, len(text), *cuts, *(place for line in _LINE.finditer(text) for place in _starts(line))})
    return [span for start, end in pairwise(starts) if (span := _strip(text, start, end)) is not None]


def sentences_about(cut: Sequence[Characters], span: Characters) -> list[int]:
    """Find the sentences that a span of the text is about.

    Args:
        cut: The sentences of the text.
        span: The characters [start, end) of the text.

    Returns:
        The numbers of the sentences that share at least half of the shorter text with the span. If there is none, as
        where a span crosses the end of a sentence, the number of the sentence that shares most.
    """
    shared = [min(end, span[1]) - max(start, span[0]) for start, end in cut]
    half = [min(end - start, span[1] - span[0]) / 2 for start, end in cut]
    about = [i for i, characters in enumerate(shared) if characters >= half[i]]
    best = max(range(len(cut)), key=shared.__getitem__, default=0)
    return about or ([best] if cut and shared[best] > 0 else [])


def _starts(line: re.Match[str]) -> Iterator[int]:
    """Yield the places in the text at which the sentences of a line start."""
    items = {match.start() for match in _BULLET.finditer(line[0])} | set(_numbered_items(line[0]))
    for begin, end in pairwise(sorted({0, *items, len(line[0])})):
        yield line.start() + begin
        for stop in _ends(line[0][begin:end]):
            yield line.start() + begin + stop
    yield line.end()


def _numbered_items(line: str) -> Iterator[int]:
    """Yield the places at which items 2, 3, … of a list begin. Its item 1 begins the line or follows a colon."""
    expected = 1
    for match in _ITEM.finditer(line):
        before = line[: match.start()].strip()
        if int(match[1]) == expected and (expected > 1 or not before or before.endswith(":")):
            if expected > 1:
                yield match.start()
            expected += 1


def _ends(line: str) -> Iterator[int]:
    """Yield the places in a line at which a sentence ends and another one begins."""
    # Punkt cuts '!!!I' before its last stop.
    found = {_STOPS.match(line, end).end() for _, end in _punkt().span_tokenize(line)}  # type: ignore[union-attr]
    found |= {match.end() for match in _NOT_FOR_PUNKT.finditer(line)} | set(_ends_without_space(line))
    ends = sorted(found)
    go_on = {match.end() for match in _MAY_GO_ON.finditer(line)}
    begin = 0
    for end, following in pairwise([*ends, len(line)]):
        starts = _WORD_CHARACTER.search(line, end, following) is not None
        if starts and end not in go_on and not _NUMBER.search(line[begin:end]):
            yield end
            begin = end


def _ends_without_space(line: str) -> Iterator[int]:
    """Yield the places in a line at which a sentence ends without white space behind it."""
    addresses = [match.span() for match in _UNBROKEN.finditer(line) if _ADDRESS.search(match[0])]
    for match in _NO_SPACE.finditer(line):
        within_address = any(start < match.end() < end for start, end in addresses)
        if not within_address and match[1].lower() not in _ABBREVIATIONS:
            yield match.end()


@cache
def _punkt() -> "PunktSentenceTokenizer":
    from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer

    parameters = PunktParameters()
    parameters.abbrev_types = set(_ABBREVIATIONS)
    return PunktSentenceTokenizer(parameters)


def _strip(text: str, start: int, end: int) -> Characters | None:
    """Return the part of a text without white space at its ends, or None if nothing is left."""
    part = text[start:end]
    if not part.strip():
        return None
    return start + len(part) - len(part.lstrip()), start + len(part.rstrip())
