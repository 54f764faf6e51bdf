"""Correct the cross-validated score of a chosen model for having been chosen as the best of several."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAMPLES = 1000
# Maps how often each sample holds each group, (samples, groups), to a score, (samples,), NaN where it is undefined.
ScoreOfSamples = Callable[[NDArray[np.int64]], NDArray[np.float64]]


@dataclass(frozen=True)
class CorrectedScore:
    """The score of the best candidate, as it is and corrected.

    Attributes:
        plain: The best candidate's score on all groups.
        value: The corrected score.
        low: Lower end of its 95 % percentile interval.
        high: Upper end of its 95 % percentile interval.
    """

    plain: float
    value: float
    low: float
    high: float


def correct_selection_bias(candidates: Sequence[ScoreOfSamples], groups: int, seed: int) -> CorrectedScore | None:
    """Return the bootstrap bias-corrected score of the best candidate (BBC-CV; Tsamardinos et al., 2018).

    Groups are drawn with replacement. The candidate that is best on the drawn ones is scored on those that were not
    drawn, which had no part in its choice. The corrected score is the mean over the samples.

    Args:
        candidates: The score of each candidate's held-out predictions as a function of the groups that count.
        groups: Number of groups of posts.
        seed: Seed that draws the groups.

    Returns:
        The corrected score; None if no sample defines it.
    """
    drawn = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), SAMPLES)
    inside = np.stack([score(drawn) for score in candidates], axis=1)
    outside = np.stack([score((drawn == 0).astype(np.int64)) for score in candidates], axis=1)
    best = np.argmax(np.where(np.isnan(inside), -np.inf, inside), axis=1)
    scores = outside[np.arange(SAMPLES), best]
    scores = scores[~np.isnan(scores)]
    if not len(scores):
        return None
    everything = np.ones((1, groups), dtype=np.int64)
    low, high = np.percentile(scores, [2.5, 97.5])
    plain = max(float(score(everything)[0]) for score in candidates)
    return CorrectedScore(plain, float(scores.mean()), float(low), float(high))
