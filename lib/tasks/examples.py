"""The examples that an agent builds from a corpus, and the targets of each of their windows."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lib.corpus.sentences import Characters
from lib.modeling.tokens import Batch, Tokens


@dataclass(frozen=True)
class TextPairs:
    """n (criterion, text) pairs, which a model can read whether or not their answers are known.

    Attributes:
        criterion_text: The criterion's text; it is never truncated.
        text: The sentence or post; it may be truncated or cut into windows.
        criterion: The criterion's name.
        post_id: The post that the text is from.
    """

    criterion_text: list[str]
    text: list[str]
    criterion: list[str]
    post_id: list[str]

    def __len__(self) -> int:
        return len(self.criterion_text)


@dataclass(frozen=True)
class Examples(TextPairs):
    """The n examples of an agent: pairs with known answers.

    Attributes:
        label: (n,) 1 where the criterion is met, else 0.
        gold_spans: The characters [start, end) of `text` that show the criterion. The list is empty where there is
            no evidence, and for an agent that does not predict spans.
        group: (n,) the number of the post's group, whose posts no split separates.
        annotated: (n,) True for the annotated pairs, which have a row in the corpus.
        natural: (n,) True for the pairs of natural prevalence. For an agent that reads posts they are all pairs, also
            the annotated ones. For an agent that reads sentences they are the sentences as `predict` would cut them.
        counted: (n,) True where the criterion counts in the scores.
        ids: The names of the examples in result files.
    """

    label: NDArray[np.int64]
    gold_spans: list[list[Characters]]
    group: NDArray[np.int64]
    annotated: NDArray[np.bool_]
    natural: NDArray[np.bool_]
    counted: NDArray[np.bool_]
    ids: list[str]

    def indices_of(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """Return the indices of the examples with these names."""
        position = {name: i for i, name in enumerate(self.ids)}
        return np.array([position[name] for name in ids])

    def main_population_index(self, index: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """Return the places of the natural pairs, or of the annotated ones if there is no natural pair.

        Args:
            index: (n,) some of the examples; None for all.

        Returns:
            Places in 0…n-1.
        """
        natural, annotated = (
            (self.natural, self.annotated) if index is None else (self.natural[index], self.annotated[index])
        )
        return np.flatnonzero(natural if natural.any() else annotated)

    def select(self, chosen: NDArray[np.int64]) -> "Examples":
        """Return some of the examples, given by their places."""
        taken: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            taken[field.name] = value[chosen] if isinstance(value, np.ndarray) else [value[i] for i in chosen]
        return Examples(**taken)

    def scored(self) -> "Examples":
        """Return the examples whose criterion counts in the scores."""
        return self.select(np.flatnonzero(self.counted))


@dataclass(frozen=True)
class WeightedSample:
    """Examples that stand for a population, as after sampling with unequal probabilities (Horvitz & Thompson, 1952).

    Attributes:
        index: (n,) the examples.
        weight: (n,) the number of examples of the population that each one stands for.
    """

    index: NDArray[np.int64]
    weight: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.index)

    def select(self, chosen: NDArray[np.int64]) -> "WeightedSample":
        """Return some of the examples, given by their places."""
        return WeightedSample(self.index[chosen], self.weight[chosen])

    @classmethod
    def uniform(cls, index: NDArray[np.int64]) -> "WeightedSample":
        """Return examples of weight 1, which stand for themselves only."""
        return cls(index, np.ones(len(index)))


@dataclass(frozen=True)
class Targets:
    """The targets of each window, with `total` tokens in flat arrays as in `Tokens`.

    A window that holds answers has their first tokens in `start` and their last tokens in `end`. Any other window has
    its cls token in both. A window that holds only small parts of answers teaches nothing and has weight 0. The other
    windows of a pair share its weight, so that a long post counts as much as a short one.

    Attributes:
        label: (windows,) 1 where the window holds an answer, else 0. Without answers it is the pair's label.
        weight: (windows,) the weight of the window's loss; its mean over all windows is 1, so that the mean loss per
            window is the mean loss per pair.
        start: (total,) bool, the tokens at which an answer starts.
        end: (total,) bool, the last tokens of answers.
        allowed: (total,) bool, the tokens that an answer may consist of.
        cls: (total,) bool, the one token of each window that stands for no answer.
    """

    label: Tensor
    weight: Tensor
    start: Tensor
    end: Tensor
    allowed: Tensor
    cls: Tensor

    def batch(self, batch: Batch) -> "Targets":
        """Return the targets of a batch, with arrays of shape (batch,) and (batch, tokens)."""
        flat = (batch.pad(value, False) for value in (self.start, self.end, self.allowed, self.cls))
        return Targets(self.label[batch.windows], self.weight[batch.windows], *flat)

    @classmethod
    def concatenated(cls, *parts: "Targets") -> "Targets":
        """Concatenate the targets of several sets of windows, in their order."""
        return cls(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def to(self, device: torch.device) -> "Targets":
        """Return a copy on a device."""
        return Targets(*(getattr(self, field.name).to(device) for field in fields(self)))


def make_targets(tokens: Tokens, label: NDArray[np.int64], answers: Sequence[Sequence[Characters]]) -> Targets:
    """Build the targets of windows from the labels and answers of their pairs.

    A window holds an answer if it covers at least half of the answer's characters, or if a long answer fills at least
    half of the window's text.

    Args:
        tokens: The windows of all pairs.
        label: (pairs,) 0 or 1.
        answers: The characters [start, end) of each pair's answers in its second text.

    Returns:
        The targets, on the CPU.
    """
    start, end = (np.zeros(len(tokens.ids), dtype=bool) for _ in range(2))
    labels, weight = label[tokens.pair], np.ones(len(tokens.pair), dtype=np.float32)
    for window in np.flatnonzero([bool(answers[pair]) for pair in tokens.pair]):
        low, high = tokens.offsets[window], tokens.offsets[window + 1]
        whole, cut = False, False
        for characters in answers[tokens.pair[window]]:
            held = _held(tokens.start[low:high], tokens.end[low:high], characters)
            if isinstance(held, tuple):
                start[low + held[0]] = end[low + held[1]] = whole = True
            cut = cut or held == "cut"
        labels[window] = int(whole)
        weight[window] = float(whole or not cut)
    weight /= np.maximum(np.bincount(tokens.pair, weights=weight), 1)[tokens.pair]
    weight *= len(weight) / max(weight.sum(), 1)
    none = ~np.logical_or.reduceat(start, tokens.offsets[:-1])
    start[tokens.cls[none]] = end[tokens.cls[none]] = True
    cls = np.zeros(len(tokens.ids), dtype=bool)
    cls[tokens.cls] = True
    return Targets(*map(torch.from_numpy, (labels, weight, start, end, tokens.start >= 0, cls)))


def _held(starts: NDArray[np.int32], ends: NDArray[np.int32], answer: Characters) -> tuple[int, int] | str:
    """Find an answer in a window.

    Returns:
        The answer's first and last token, 'cut' if the window holds too little of it, or 'none' if it holds nothing.
    """
    inside = np.flatnonzero((starts >= 0) & (starts < answer[1]) & (ends > answer[0]))
    if not len(inside):
        return "none"
    first, last = int(inside[0]), int(inside[-1])
    characters = min(int(ends[last]), answer[1]) - max(int(starts[first]), answer[0])
    text = starts >= 0
    room = int(ends[text].max()) - int(starts[text].min())
    return (first, last) if 2 * characters >= min(answer[1] - answer[0], room) else "cut"
