"""Batches of similar length: little padding, still shuffled."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

# Lengths are blurred by this share before sorting, so that the same examples do not always meet.
_BLUR = 0.1


def training_batches(
    index: NDArray[np.int64], lengths: NDArray[np.int64], batch_size: int, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Cut examples into batches of similar length, in random order; within a batch they ascend in length.

    index: which examples. lengths: of those examples, (n,). Every example is in exactly one batch.
    """
    blurred = lengths * (1 + _BLUR * rng.random(len(index)))
    order = np.argsort(blurred, kind="stable")
    batches = [order[start : start + batch_size] for start in range(0, len(index), batch_size)]
    ascending = [batch[np.argsort(lengths[batch], kind="stable")] for batch in batches]
    return [index[ascending[i]] for i in rng.permutation(len(batches))]


def evaluation_batches(lengths: NDArray[np.int64], token_budget: int) -> Iterator[NDArray[np.int64]]:
    """Yield positions (0…n-1) in batches of equal lengths, longest first, within a budget of tokens.

    lengths: (n, encoders). Without padding nothing depends on what else is in a batch: transformers' ConvBERT
    convolves over padding.
    """
    _, shape_of = np.unique(lengths, axis=0, return_inverse=True)
    order = np.argsort(-shape_of.ravel(), kind="stable")
    for same in np.split(order, np.flatnonzero(np.diff(shape_of.ravel()[order])) + 1):
        size = max(1, token_budget // int(lengths[same[0]].sum()))
        yield from np.split(same, range(size, len(same), size))
