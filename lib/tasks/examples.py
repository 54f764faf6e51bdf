"""The examples an agent makes of a corpus, and what is to be predicted in each window of them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lib.modeling.tokens import Batch, Tokens

Characters = tuple[int, int]


@dataclass(frozen=True)
class Examples:
    """What an agent trains on, all of length n. `first` (the criterion) is never truncated, `second` may be.

    label: (n,) whether the criterion is met. answers: the characters [start, end) of `second` that show it; none
    where there is no evidence, or where an agent is not after spans. ids: names of the examples in result files.
    """

    first: list[str]
    second: list[str]
    label: NDArray[np.int64]
    answers: list[list[Characters]]
    criterion: list[str]
    post_id: list[str]
    ids: list[str]

    def __len__(self) -> int:
        return len(self.first)

    def places(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """Return where the examples of these names stand."""
        position = {name: i for i, name in enumerate(self.ids)}
        return np.array([position[name] for name in ids])


@dataclass(frozen=True)
class Targets:
    """What to learn from each window. label, weight: (windows,). start, end, allowed: (total,) flat over tokens.

    A window that holds an answer has label 1 and the answer's first and last token in start and end (several answers:
    several tokens). Any other has label 0 and its cls token as both. One that cuts an answer is neither: weight 0.
    allowed: the tokens that may be answered. cls: the one token a window that stands for "none".
    """

    label: Tensor
    weight: Tensor
    start: Tensor
    end: Tensor
    allowed: Tensor
    cls: Tensor

    def batch(self, batch: Batch) -> "Targets":
        """Return the targets of a batch: (batch,) and (batch, tokens)."""
        flat = (batch.pad(value, False) for value in (self.start, self.end, self.allowed, self.cls))
        return Targets(self.label[batch.windows], self.weight[batch.windows], *flat)

    @classmethod
    def concatenated(cls, *parts: "Targets") -> "Targets":
        """Return the targets of the parts' windows one after the other."""
        return cls(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def to(self, device: torch.device) -> "Targets":
        """Move to a device."""
        return Targets(*(getattr(self, field.name).to(device) for field in fields(self)))


def make_targets(tokens: Tokens, label: NDArray[np.int64], answers: Sequence[Sequence[Characters]]) -> Targets:
    """Lay labels and answers of the pairs out over their windows.

    An answer counts in a window that holds at least half of it, or whose text it half fills (a long answer).
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
    none = ~np.logical_or.reduceat(start, tokens.offsets[:-1])
    start[tokens.cls[none]] = end[tokens.cls[none]] = True
    cls = np.zeros(len(tokens.ids), dtype=bool)
    cls[tokens.cls] = True
    return Targets(*map(torch.from_numpy, (labels, weight, start, end, tokens.start >= 0, cls)))


def _held(starts: NDArray[np.int32], ends: NDArray[np.int32], answer: Characters) -> tuple[int, int] | str:
    """Return the first and last token of an answer in a window, 'cut' if it holds too little of it, else 'none'."""
    inside = np.flatnonzero((starts >= 0) & (starts < answer[1]) & (ends > answer[0]))
    if not len(inside):
        return "none"
    first, last = int(inside[0]), int(inside[-1])
    characters = min(int(ends[last]), answer[1]) - max(int(starts[first]), answer[0])
    text = starts >= 0
    room = int(ends[text].max()) - int(starts[text].min())
    return (first, last) if 2 * characters >= min(answer[1] - answer[0], room) else "cut"
