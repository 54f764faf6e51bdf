"""Draw samples with unequal probabilities, whose weights 1 / probability give unbiased sums."""

import numpy as np
from numpy.typing import NDArray

# Share of the sample that is drawn without regard to the probabilities, so that no weight is large.
_EVEN = 0.3


def inclusion_probabilities(yes: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Return the probability with which each pair is drawn into a sample.

    It grows with the standard deviation of whether a model predicts yes, the square root of yes (1 - yes).

    Args:
        yes: (n,) an estimate of the probability that a model predicts yes.
        size: Expected number of drawn pairs, below n.

    Returns:
        (n,) probabilities in (0, 1], which sum to `size`.
    """
    spread = np.sqrt(np.clip(yes * (1 - yes), 1e-6, None))
    chance: NDArray[np.float64] = size * (_EVEN / len(yes) + (1 - _EVEN) * spread / spread.sum())
    while (chance > 1).any():
        certain = chance >= 1
        chance[certain] = 1.0
        chance[~certain] *= (size - certain.sum()) / chance[~certain].sum()
    return chance


def systematic_sample(chance: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw a sample of a fixed size by systematic sampling in random order (Madow, 1949).

    Args:
        chance: (n,) the inclusion probabilities, which sum to a whole number.
        rng: Draws the order and the start.

    Returns:
        The drawn places, ascending.
    """
    order = rng.permutation(len(chance))
    passed = np.floor(np.cumsum(chance[order]) + rng.random()).astype(np.int64)
    return np.sort(order[np.diff(passed, prepend=0) > 0])
