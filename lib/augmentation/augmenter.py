"""Draw the examples that an epoch augments, apply the edits of the bank, and move the answers accordingly."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from lib.augmentation.bank import MethodVariants
from lib.augmentation.edits import Edit, apply_edits, merge_edits
from lib.augmentation.methods import strategy_methods
from lib.augmentation.reserved import TfidfWeights
from lib.corpus.sentences import Characters, sentences
from lib.files.hashing import derive_seed
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.examples import Examples


def augmentation_spans(text: str, answers: Sequence[Characters], *, whole: bool) -> list[Characters]:
    """Cut a text into the pieces that are augmented one by one.

    Args:
        text: The text of an example.
        answers: The characters [start, end) of its answers. The text is also cut there, so that an answer consists of
            whole pieces.
        whole: Whether the text is one piece instead of one per sentence.

    Returns:
        The characters [start, end) of each piece, in order, without white space at the ends.
    """
    if not whole:
        return sentences(text, (place for answer in answers for place in answer))
    inner = text.strip()
    return [(start := text.index(inner), start + len(inner))] if inner else []


class AugmentableTexts:
    """The pieces of an agent's examples that may be augmented.

    Attributes:
        examples: The examples.
        pieces: The characters [start, end) of each example's pieces in its text.
        unique: The distinct texts of all pieces, sorted.
        rows: The places of each example's pieces in `unique`.
    """

    def __init__(self, examples: Examples, *, whole: bool) -> None:
        """Cut the second texts of the annotated examples. Others are not augmented, as each epoch draws new ones.

        Args:
            examples: The examples.
            whole: Whether a text is one piece instead of one per sentence.
        """
        self.examples = examples
        self.pieces = [
            augmentation_spans(second, answers, whole=whole) if annotated else []
            for second, answers, annotated in zip(examples.text, examples.gold_spans, examples.annotated, strict=True)
        ]
        found = [[s[a:b] for a, b in places] for s, places in zip(examples.text, self.pieces, strict=True)]
        self.unique = sorted(set(chain.from_iterable(found)))
        row = {text: number for number, text in enumerate(self.unique)}
        self.rows = [[row[text] for text in texts] for texts in found]


@dataclass(frozen=True)
class AugmentedExamples:
    """Augmented examples.

    Attributes:
        index: (n,) the examples that they are variants of.
        examples: The n variants.
        applied: How often each method changed an example.
    """

    index: NDArray[np.int64]
    examples: Examples
    applied: Counter[str]


class Augmenter:
    """Draws the augmented examples of an epoch from the bank. The same seed and epoch give the same texts."""

    def __init__(
        self,
        banks: Mapping[str, MethodVariants],
        texts: AugmentableTexts,
        hyper: Hyperparameters,
        weights: TfidfWeights,
        *,
        seed: int,
    ) -> None:
        """Prepare to draw.

        Args:
            banks: The variants of each method, by its name.
            texts: The pieces of all examples.
            hyper: Gives the methods, their weights and how often and how strongly they are applied.
            weights: TF-IDF weights of words in the training part, for the antonym guard.
            seed: Seed of the draws of all epochs.
        """
        self._banks, self._texts, self._hyper, self._seed = banks, texts, hyper, seed
        self._weights = weights
        names = strategy_methods(hyper.augmentation_strategy)
        weight = np.array([hyper.weight(name) if hyper.augmentation_strategy == "custom" else 1.0 for name in names])
        self._names = [name for name, w in zip(names, weight, strict=True) if w > 0]
        self._log_weights = np.log(weight[weight > 0])

    def epoch(self, train: NDArray[np.int64], epoch: int) -> AugmentedExamples:
        """Draw the augmented examples of an epoch.

        Args:
            train: (n_train,) the examples to train on.
            epoch: Counted from 1.

        Returns:
            The drawn examples that some method changed.
        """
        hyper, rng = self._hyper, np.random.default_rng(derive_seed(self._seed, "augmentation", epoch))
        drawn = train[rng.random(len(train)) < hyper.p_apply] if self._names else train[:0]
        # The largest sums of log weight and Gumbel noise are weighted draws without replacement (Vieira, 2014).
        keys = self._log_weights + rng.gumbel(size=(len(drawn), len(self._names)))
        methods = np.argsort(-keys, axis=1)[:, : hyper.ops_per_sample]
        edits = self._variants(drawn, methods, rng)
        index, texts, answers, applied = [], [], [], Counter[str]()
        for example, row in zip(drawn.tolist(), methods.tolist(), strict=True):
            text, moved, used = self._augment(example, edits)
            if used:
                applied.update(self._names[row[place]] for place in used)
                index.append(example)
                texts.append(text)
                answers.append(moved)
        chosen = np.array(index, dtype=np.int64)
        return AugmentedExamples(chosen, self._replace_texts(chosen, texts, answers), applied)

    def _variants(
        self, drawn: NDArray[np.int64], methods: NDArray[np.int64], rng: np.random.Generator
    ) -> Iterator[list[list[Edit]]]:
        """Return an iterator over the pieces of the drawn examples, with the edits of each of the example's methods.

        methods: (drawn, methods of an example) places in `self._names`.
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
            made = bank.variants(text[piece], self._hyper.max_replace, which)
            if low:
                made = [
                    self._low(self._texts.unique[row], edits) for row, edits in zip(text[piece], made, strict=True)
                ]
            for i, j, edits in zip(piece.tolist(), place.tolist(), made, strict=True):
                found[i][j] = edits
        return iter(found)

    def _low(self, text: str, edits: list[Edit]) -> list[Edit]:
        """Return the edits that change only words of low weight."""
        return [edit for edit, low in zip(edits, self._weights.is_low(text, edits), strict=True) if low]

    def _augment(self, example: int, edits: Iterator[list[list[Edit]]]) -> tuple[str, list[Characters], set[int]]:
        """Return an example's new text, the characters of its answers in it, and the methods that changed something.

        edits: The next items are those of the example's pieces.
        """
        second, found = self._texts.examples.text[example], self._texts.pieces[example]
        parts, at, used = [], 0, set[int]()
        moved = [0]  # the growth of the text before piece 0, 1, 2, …
        for (start, end), variants in zip(found, edits, strict=False):
            taken, counts = merge_edits(variants)
            used.update(place for place, count in enumerate(counts) if count)
            new = apply_edits(second[start:end], taken)
            parts += [second[at:start], new]
            moved.append(moved[-1] + len(new) - (end - start))
            at = end
        ends = [end for _, end in found]
        # Answers begin and end at the boundaries of pieces.
        answers = [
            (a + moved[bisect_right(ends, a)], b + moved[bisect_right(ends, b)])
            for a, b in self._texts.examples.gold_spans[example]
        ]
        return "".join([*parts, second[at:]]), answers, used

    def _replace_texts(self, index: NDArray[np.int64], texts: list[str], answers: list[list[Characters]]) -> Examples:
        old = self._texts.examples
        return replace(
            old,
            criterion_text=[old.criterion_text[i] for i in index],
            text=texts,
            label=old.label[index],
            gold_spans=answers,
            criterion=[old.criterion[i] for i in index],
            post_id=[old.post_id[i] for i in index],
            group=old.group[index],
            annotated=old.annotated[index],
            natural=old.natural[index],
            counted=old.counted[index],
            ids=[old.ids[i] for i in index],
        )
