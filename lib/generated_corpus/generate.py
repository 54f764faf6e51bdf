"""Generate a corpus in ReDSM5's format, for machines without the real one.

The label of a sentence depends on the symptom, on whose it is, when, and whether it is denied. Each of these cues
occurs in positives and in negatives, so that a bag of words cannot separate them, but a reader of the sentence can.
Each symptom has more than forty phrasings, so that a new post often uses words that no earlier post used. Nearly a
third of them are as plain as what a person types, and half of these stand without a time. Every positive sentence is
annotated as one, so that natural prevalence can be measured.
"""

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import numpy as np
from scipy.special import ndtri

from lib.corpus.reader import SHIPPED_CRITERIA
from lib.files.atomic import write_json, write_text
from lib.files.json_files import read_json
from lib.files.yaml_files import load_yaml

# From ReDSM5's README: 1,484 posts, 392 of them without a positive, 295 words on average, 6,990 at most.
_NO_POSITIVE = 392 / 1484
_MEAN_WORDS, _MOST_WORDS = 295, 6990
_SPREAD = 0.85
# Share of the negatives that are sentences with another symptom.
_MISMATCH = 0.6
Option = TypeVar("Option")
Form = Literal["first person", "third person", "past"]
_FORMS: tuple[Form, ...] = get_args(Form)
_NOTE = "Generated sentence; no person wrote it."


@dataclass(frozen=True)
class _Sentence:
    """A sentence with the statuses of the criteria that it is annotated with."""

    text: str
    statuses: dict[str, int]


def _inflected(phrase: str, form: Form) -> str:
    return re.sub(r"\[([^]]*)\]", lambda match: match.group(1).split("|")[_FORMS.index(form)], phrase)


class _Writer:
    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.words: dict[str, Any] = load_yaml((Path(__file__).parent / "phrases.yaml").read_text(encoding="utf-8"))
        self.symptoms: dict[str, Any] = self.words["symptoms"]
        self.names: list[str] = list(self.symptoms)
        weights = np.array([self.symptoms[name]["weight"] for name in self.names], dtype=float)
        self.weights = weights / weights.sum()

    def pick(self, options: list[Option]) -> Option:
        return options[int(self.rng.integers(len(options)))]

    def criterion(self) -> str:
        return self.names[int(self.rng.choice(len(self.names), p=self.weights))]

    def filler(self) -> str:
        slots: dict[str, list[str]] = self.words["slots"]
        template: str = self.pick(self.words["filler"])
        return re.sub(r"\{(\w+)\}", lambda match: self.pick(slots[match.group(1)]), template)

    def clause(self, who: str, when: str, phrase: str, form: Form) -> str:
        plain, phrase = phrase.startswith("["), _inflected(phrase, form)
        if plain and form != "past" and self.rng.random() < 0.5:
            return f"{who} {phrase}"
        order = self.rng.integers(3)
        if order == 0:
            return f"{when} {who} {phrase}"
        if order == 1:
            return f"{who}, {self.pick(self.words['aside'])}, {phrase} {when}"
        return f"{who} {phrase} {when}"

    def positive(self, criterion: str) -> _Sentence:
        """Return a sentence whose author has the symptom now; its other clause holds a cue of a negative."""
        symptom = self.symptoms[criterion]
        mine = self.clause("I", self.pick(self.words["now"]), self.pick(symptom["present"]), "first person")
        return _Sentence(self.sentence(mine, self.distractor(criterion)), {criterion: 1})

    def negative(self, criterion: str) -> _Sentence:
        """Return a sentence in which the symptom is another person's, past, denied, hypothetical or its opposite."""
        w, symptom = self.words, self.symptoms[criterion]
        phrase, fine = self.pick(symptom["present"]), self.pick(symptom["absent"])
        kind = self.rng.choice(["other", "past", "denied", "hypothetical", "well"], p=[0.3, 0.2, 0.16, 0.08, 0.26])
        well = self.clause("I", self.pick(w["now"]), fine, "first person")
        if kind == "well":
            return _Sentence(self.sentence(well, ""), {criterion: 0})
        mine = well if self.rng.random() < 0.4 else ""
        if kind == "other":
            theirs = self.clause(self.pick(w["others"]), self.pick(w["now"]), phrase, "third person")
        elif kind == "past":
            theirs = self.clause("I", self.pick(w["before"]), phrase, "past")
        elif kind == "denied":
            theirs = f"{self.pick(w['denial'])} {_inflected(phrase, 'past')} {self.pick(w['now'])}"
        else:
            theirs = f"{self.pick(w['hypothetical'])} {_inflected(phrase, 'third person')}"
        return _Sentence(self.sentence(theirs, mine), {criterion: 0})

    def distractor(self, criterion: str) -> str:
        w, fine = self.words, self.pick(self.symptoms[criterion]["absent"])
        kind = self.rng.choice(["other", "past", "denied", "none"], p=[0.15, 0.15, 0.1, 0.6])
        if kind == "other":
            return self.clause(self.pick(w["others"]), self.pick(w["now"]), fine, "third person")
        if kind == "past":
            return self.clause("I", self.pick(w["before"]), fine, "past")
        if kind == "denied":
            return f"{self.pick(w['denial'])} {_inflected(fine, 'past')} {self.pick(w['now'])}"
        return ""

    def sentence(self, first: str, second: str) -> str:
        parts = [part for part in (first, second) if part]
        self.rng.shuffle(parts)
        joint = self.pick([", while ", " and ", "; ", ", but "])
        text = joint.join(parts)
        return text[0].upper() + text[1:] + self.pick([".", ".", ".", "!", " :("])

    def lengths(self, n: int, mean: int) -> list[int]:
        """Return the lengths of n posts in words, shuffled.

        They are log-normal, as those of forum posts are. The ratio of the longest to the mean is that of ReDSM5.
        """
        quantiles = (np.arange(n) + 0.5) / n
        most = _MOST_WORDS * mean // _MEAN_WORDS
        words = np.exp(np.log(mean) - _SPREAD**2 / 2 + _SPREAD * ndtri(quantiles))
        words = np.clip(words, 15, most).astype(int)
        words[-1] = most
        return [int(value) for value in self.rng.permutation(words)]

    def post(self, words: int, with_positive: bool) -> list[str | _Sentence]:
        positives = 1 + self.rng.binomial(3, 0.15) if with_positive else 0
        annotated: dict[str, _Sentence] = {}
        for _ in range(positives):
            sentence = self.positive(self.criterion())
            annotated.setdefault(sentence.text, sentence)
        shown = list(annotated.values())
        for _ in range(1 + self.rng.binomial(3, 0.25)):
            if shown and self.rng.random() < _MISMATCH:  # a sentence that shows another symptom
                sentence = self.pick(shown)
                sentence.statuses.setdefault(self.pick(self.names), 0)
            else:
                sentence = self.negative(self.criterion())
                annotated.setdefault(sentence.text, sentence)
        parts: list[str | _Sentence] = list(annotated.values())
        count = sum(len(sentence.text.split()) for sentence in annotated.values())
        while count < words:
            filler = self.filler()
            parts.insert(int(self.rng.integers(len(parts) + 1)), filler)
            count += len(filler.split())
        return parts


def generate_corpus(folder: Path, *, posts: int, seed: int, words: int = _MEAN_WORDS) -> None:
    """Write posts.csv, annotations.csv and criteria.json, which are the same for the same arguments.

    Args:
        folder: Where to write them.
        posts: Number of posts.
        seed: Seed of everything random.
        words: Mean length of a post in words.
    """
    writer = _Writer(seed)
    with_positive = writer.rng.permutation(posts) >= round(posts * _NO_POSITIVE)
    post_rows, annotation_rows = [], []
    for number, length in enumerate(writer.lengths(posts, words)):
        post_id = f"s_{number:04d}"
        parts = writer.post(length, bool(with_positive[number]))
        post_rows.append([post_id, " ".join(p if isinstance(p, str) else p.text for p in parts)])
        for place, part in enumerate(parts):
            if isinstance(part, _Sentence):
                for criterion, status in part.statuses.items():
                    annotation_rows.append([post_id, f"{post_id}_{place}", part.text, criterion, status, _NOTE])
    _write_csv(folder / "posts.csv", ["post_id", "text"], post_rows)
    head = ["post_id", "sentence_id", "sentence_text", "DSM5_symptom", "status", "explanation"]
    _write_csv(folder / "annotations.csv", head, annotation_rows)
    criteria = [entry for entry in read_json(SHIPPED_CRITERIA) if entry["id"] in writer.symptoms]
    write_json(folder / "criteria.json", criteria)


def _write_csv(path: Path, head: list[str], rows: list[list[Any]]) -> None:
    buffer = io.StringIO(newline="")
    table = csv.writer(buffer, lineterminator="\n")
    table.writerow(head)
    table.writerows(rows)
    write_text(path, buffer.getvalue())
