"""Batches of windows of similar length, which need little padding and are still shuffled."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

# Before sorting, lengths grow by a random share up to this one, so that batches differ between epochs.
_BLUR = 0.1


def training_batches(
    index: NDArray[np.int64], lengths: NDArray[np.int64], batch_size: int, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Divide windows into batches of similar length, in random order.

    Args:
        index: (n,) the numbers of the windows.
        lengths: (n,) their numbers of tokens.
        batch_size: Windows of a batch; one batch may be smaller.
        rng: Draws the noise of the lengths and the order of the batches.

    Returns:
        The batches. Every window is in exactly one of them, and within a batch the lengths ascend.
    """
    blurred = lengths * (1 + _BLUR * rng.random(len(index)))
    order = np.argsort(blurred, kind="stable")
    batches = [order[start : start + batch_size] for start in range(0, len(index), batch_size)]
    ascending = [batch[np.argsort(lengths[batch], kind="stable")] for batch in batches]
    return [index[ascending[i]] for i in rng.permutation(len(batches))]


def evaluation_batches(lengths: NDArray[np.int64], token_budget: int) -> Iterator[NDArray[np.int64]]:
    """Divide windows into batches without padding, so that a window's logits do not depend on the rest of its batch.

    With padding they would, because transformers' ConvBERT convolves over it.

    Args:
        lengths: (n, encoders) the numbers of tokens of the windows.
        token_budget: The most tokens of a batch, summed over encoders. A longer window gets a batch of its own.

    Yields:
        Positions in 0…n-1 of windows with equal lengths; longer windows come first.
    """
    _, shape_of = np.unique(lengths, axis=0, return_inverse=True)
    order = np.argsort(-shape_of.ravel(), kind="stable")
    for same in np.split(order, np.flatnonzero(np.diff(shape_of.ravel()[order])) + 1):
        size = max(1, token_budget // int(lengths[same[0]].sum()))
        yield from np.split(same, range(size, len(same), size))
