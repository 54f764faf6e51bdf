"""Which examples are augmented in an epoch, how, and where their answers are afterwards."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from lib.augmentation.bank import Bank
from lib.augmentation.edits import Edit, apply_edits, merge_edits
from lib.augmentation.methods import strategy_methods
from lib.corpus.sentences import sentences
from lib.files.hashing import derive_seed
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.examples import Characters, Examples


def cut_pieces(text: str, answers: Sequence[Characters], *, whole: bool) -> list[Characters]:
    """Cut a text into the pieces that are augmented one by one.

    Args:
        text: Of an example.
        answers: Where its answers are; an answer is made of whole pieces.
        whole: Take the text in one piece, not sentence by sentence.

    Returns:
        The characters [start, end) of each piece, in order, without white space at the ends.
    """
    if not whole:
        return sentences(text, (place for answer in answers for place in answer))
    inner = text.strip()
    return [(start := text.index(inner), start + len(inner))] if inner else []


class AugmentableTexts:
    """What of an agent's examples may be augmented.

    unique: every such text, once each, in a fixed order. pieces, rows: of each example, where its pieces are in its
    text, and which of the unique texts they are.
    """

    def __init__(self, examples: Examples, *, whole: bool) -> None:
        """whole: examples are augmented in one piece, not sentence by sentence."""
        self.examples = examples
        self.pieces = [
            cut_pieces(second, answers, whole=whole)
            for second, answers in zip(examples.second, examples.answers, strict=True)
        ]
        found = [[s[a:b] for a, b in places] for s, places in zip(examples.second, self.pieces, strict=True)]
        self.unique = sorted(set(chain.from_iterable(found)))
        row = {text: number for number, text in enumerate(self.unique)}
        self.rows = [[row[text] for text in texts] for texts in found]


@dataclass(frozen=True)
class AugmentedExamples:
    """Examples with other texts. index: which examples they are. applied: how often each method changed one."""

    index: NDArray[np.int64]
    examples: Examples
    applied: Counter[str]


class Augmenter:
    """Draws an epoch's augmented examples from the bank. The same seed and epoch give the same texts."""

    def __init__(
        self, banks: Mapping[str, Bank], texts: AugmentableTexts, hyper: Hyperparameters, *, seed: int
    ) -> None:
        """banks: by method."""
        self._banks, self._texts, self._hyper, self._seed = banks, texts, hyper, seed
        names = strategy_methods(hyper.strategy)
        weight = np.array([hyper.weight(name) if hyper.strategy == "custom" else 1.0 for name in names])
        self._names = [name for name, w in zip(names, weight, strict=True) if w > 0]
        self._log_weights = np.log(weight[weight > 0])

    def epoch(self, train: NDArray[np.int64], epoch: int) -> AugmentedExamples:
        """Draw among the examples to train on."""
        hyper, rng = self._hyper, np.random.default_rng(derive_seed(self._seed, "augmentation", epoch))
        drawn = train[rng.random(len(train)) < hyper.augment_share] if self._names else train[:0]
        # Weighted draws without replacement, all at once: the largest of log weight plus Gumbel noise (Vieira, 2014).
        keys = self._log_weights + rng.gumbel(size=(len(drawn), len(self._names)))
        methods = np.argsort(-keys, axis=1)[:, : hyper.augment_methods]
        edits = self._variants(drawn, methods, rng)
        index, texts, answers, applied = [], [], [], Counter[str]()
        for example, row in zip(drawn.tolist(), methods.tolist(), strict=True):
            text, moved, used = self._put_together(example, edits)
            if used:
                applied.update(self._names[row[place]] for place in used)
                index.append(example)
                texts.append(text)
                answers.append(moved)
        chosen = np.array(index, dtype=np.int64)
        return AugmentedExamples(chosen, self._with(chosen, texts, answers), applied)

    def _variants(
        self, drawn: NDArray[np.int64], methods: NDArray[np.int64], rng: np.random.Generator
    ) -> Iterator[list[list[Edit]]]:
        """Yield, for each piece of each drawn example in order, a variant's edits by each of its methods.

        methods: (drawn, methods of an example).
        """
        rows = [self._texts.rows[example] for example in drawn.tolist()]
        text = np.fromiter(chain.from_iterable(rows), dtype=np.int64)
        asked = np.repeat(methods, [len(row) for row in rows], axis=0)
        found: list[list[list[Edit]]] = [[[]] * asked.shape[1] for _ in text]
        number = rng.random(asked.shape)
        for method in np.unique(asked).tolist():
            name = self._names[method]
            low = name == "antonym" and self._hyper.antonym_guard == "on_low_weight"
            piece, place = np.nonzero(asked == method)
            bank = self._banks[name]
            which = (number[piece, place] * bank.number).astype(np.int64)
            made = bank.variants(text[piece], self._hyper.augment_words, which, only_low=low)
            for i, j, edits in zip(piece.tolist(), place.tolist(), made, strict=True):
                found[i][j] = edits
        return iter(found)

    def _put_together(
        self, example: int, edits: Iterator[list[list[Edit]]]
    ) -> tuple[str, list[Characters], set[int]]:
        """Return an example's new text, where its answers are in it, and which of its methods changed something.

        edits: its pieces' are the next ones.
        """
        second, found = self._texts.examples.second[example], self._texts.pieces[example]
        parts, at, used = [], 0, set[int]()
        moved = [0]  # how far what stands before piece 0, 1, 2, … has moved
        for (start, end), variants in zip(found, edits, strict=False):
            taken, counts = merge_edits(variants)
            used.update(place for place, count in enumerate(counts) if count)
            new = apply_edits(second[start:end], taken)
            parts += [second[at:start], new]
            moved.append(moved[-1] + len(new) - (end - start))
            at = end
        ends = [end for _, end in found]
        # Where an answer begins or ends, no piece goes on.
        answers = [
            (a + moved[bisect_right(ends, a)], b + moved[bisect_right(ends, b)])
            for a, b in self._texts.examples.answers[example]
        ]
        return "".join([*parts, second[at:]]), answers, used

    def _with(self, index: NDArray[np.int64], texts: list[str], answers: list[list[Characters]]) -> Examples:
        old = self._texts.examples
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
