"""Which examples are augmented in an epoch, how, and where their answers are afterwards."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from random import Random

import numpy as np
from numpy.typing import NDArray

from lib.augmentation.bank import Bank
from lib.augmentation.edits import apply, together
from lib.augmentation.methods import METHODS, of_strategy
from lib.files.hashing import derive_seed
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.examples import Characters, Examples

_BETWEEN_SENTENCES = re.compile(r"(?<=[.!?])\s+|\n+")


def pieces(text: str, answers: Sequence[Characters], *, whole: bool) -> list[Characters]:
    """Cut a text into what is augmented on its own: [start, end) each, in order, without white space at the ends.

    whole: in one piece. Else by sentences, and where an answer begins or ends, so that an answer is made of pieces.
    """
    cuts = {0, len(text)}
    if not whole:
        cuts |= {match.end() for match in _BETWEEN_SENTENCES.finditer(text)}
        cuts |= {place for answer in answers for place in answer}
    places = sorted(cuts)
    found = []
    for start, end in pairwise(places):
        part = text[start:end]
        if part.strip():
            found.append((start + len(part) - len(part.lstrip()), start + len(part.rstrip())))
    return found


def bank_texts(examples: Examples, *, whole: bool) -> list[str]:
    """Return every text that may be augmented, once each, in a fixed order."""
    texts = {
        second[start:end]
        for second, answers in zip(examples.second, examples.answers, strict=True)
        for start, end in pieces(second, answers, whole=whole)
    }
    return sorted(texts)


@dataclass(frozen=True)
class Augmented:
    """Examples with other texts. index: which examples they are. applied: how often each method changed one."""

    index: NDArray[np.int64]
    examples: Examples
    applied: Counter[str]


class Augmenter:
    """Draws an epoch's augmented examples from the bank. The same seed and epoch give the same texts."""

    def __init__(
        self, banks: Mapping[str, Bank], examples: Examples, hyper: Hyperparameters, *, whole: bool, seed: int
    ) -> None:
        """banks: by method. whole: examples are augmented in one piece, not sentence by sentence."""
        self._banks, self._examples, self._hyper, self._whole, self._seed = banks, examples, hyper, whole, seed
        self._row = {text: row for row, text in enumerate(bank_texts(examples, whole=whole))}
        names = of_strategy(hyper.strategy)
        weight = np.array([hyper.weight(name) if hyper.strategy == "custom" else 1.0 for name in names])
        self._names = [name for name, w in zip(names, weight, strict=True) if w > 0]
        self._log_weights = np.log(weight[weight > 0])

    def epoch(self, train: NDArray[np.int64], epoch: int) -> Augmented:
        """Draw among the examples to train on."""
        hyper, rng = self._hyper, np.random.default_rng(derive_seed(self._seed, "augmentation", epoch))
        drawn = train[rng.random(len(train)) < hyper.augment_share] if self._names else train[:0]
        index, texts, answers, applied = [], [], [], Counter[str]()
        # Weighted draws without replacement, all at once: the largest of log weight plus Gumbel noise (Vieira, 2014).
        keys = self._log_weights + rng.gumbel(size=(len(drawn), len(self._names)))
        order = np.argsort(-keys, axis=1)[:, : hyper.augment_methods]
        seeds = rng.integers(2**32, size=len(drawn))
        for example, row, seed in zip(drawn.tolist(), order.tolist(), seeds.tolist(), strict=True):
            text, moved, used = self._augment(example, [self._names[i] for i in row], seed)
            applied.update(used)
            if used:
                index.append(example)
                texts.append(text)
                answers.append(moved)
        chosen = np.array(index, dtype=np.int64)
        return Augmented(chosen, self._with(chosen, texts, answers), applied)

    def _augment(self, example: int, methods: Sequence[str], seed: int) -> tuple[str, list[Characters], set[str]]:
        """Return an example's new text, where its answers are in it, and the methods that changed something."""
        rng = Random(seed)
        second, answers = self._examples.second[example], self._examples.answers[example]
        hyper, used = self._hyper, set[str]()
        parts: list[str] = []
        at = length = 0
        place: dict[int, int] = {}
        for start, end in pieces(second, answers, whole=self._whole):
            piece = second[start:end]
            variants = [
                self._banks[name].variant(
                    self._row[piece],
                    hyper.augment_words,
                    rng.randrange(self._banks[name].number),
                    only_low=name == "antonym" and hyper.antonym_guard == "on_low_weight",
                )
                for name in methods
            ]
            edits, counts = together(variants)
            used |= {name for name, count in zip(methods, counts, strict=True) if count}
            new = apply(piece, edits)
            between = second[at:start]
            place |= {p: length + p - at for p in range(at, start + 1)}
            parts += [between, new]
            length += len(between) + len(new)
            at = end
        place |= {p: length + p - at for p in range(at, len(second) + 1)}
        return "".join([*parts, second[at:]]), [(place[a], place[b]) for a, b in answers], used

    def _with(self, index: NDArray[np.int64], texts: list[str], answers: list[list[Characters]]) -> Examples:
        old = self._examples
        return replace(
            old,
            first=[old.first[i] for i in index],
            second=texts,
            label=old.label[index],
            answers=answers,
            criterion=[old.criterion[i] for i in index],
            post_id=[old.post_id[i] for i in index],
            ids=[old.ids[i] for i in index],
        )


def exposure(hyper: Mapping[str, float | str | bool | int]) -> dict[str, float]:
    """Return how often an epoch gives a training example to each method, by the parameters of a trial.

    With several methods of unequal weight for an example, drawn without replacement, this is approximate.
    """
    if not hyper["aug.enabled"]:
        return dict.fromkeys(METHODS, 0.0)
    names = of_strategy(hyper["aug.strategy"])  # type: ignore[arg-type]
    custom = hyper["aug.strategy"] == "custom"
    weights = {name: float(hyper[f"aug.weight_{name}"]) if custom else 1.0 for name in names}
    total = sum(weights.values()) or 1.0
    often = float(hyper["aug.p_apply"]) * int(hyper["aug.ops_per_sample"])
    most = float(hyper["aug.p_apply"])
    return {name: min(most, often * weights.get(name, 0.0) / total) for name in METHODS}
