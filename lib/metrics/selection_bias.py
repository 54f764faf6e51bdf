"""Correct the cross-validated score of a chosen model for having been chosen as the best of several."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAMPLES = 1000
# Maps how often each sample holds each group, (samples, groups), to a score in [0, 1], (samples,), NaN where it is
# undefined.
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
    drawn, which had no part in its choice. What it scores less there than the best candidate of all does, in the mean
    over the samples, is the bias. The original takes the mean score itself, which has the same expectation for
    scores that are means over groups. An F1 on a third of the groups is lower or higher than on all of them even if
    nothing was chosen, and the difference is free of that.

    Args:
        candidates: The score of each candidate's held-out predictions as a function of the groups that count.
        groups: Number of groups of posts.
        seed: Seed that draws the groups.

    Returns:
        The corrected score, with the percentiles of the chosen ones' scores, moved by as much as their mean is moved;
        None if no sample defines it.
    """
    drawn = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), SAMPLES)
    inside = np.stack([score(drawn) for score in candidates], axis=1)
    outside = np.stack([score((drawn == 0).astype(np.int64)) for score in candidates], axis=1)
    best = np.argmax(np.where(np.isnan(inside), -np.inf, inside), axis=1)
    everything = np.array([float(score(np.ones((1, groups), dtype=np.int64))[0]) for score in candidates])
    chosen, of_best = outside[np.arange(SAMPLES), best], outside[:, np.argmax(np.nan_to_num(everything, nan=-np.inf))]
    defined = ~np.isnan(chosen) & ~np.isnan(of_best)
    if not defined.any():
        return None
    chosen, plain = chosen[defined], float(np.nanmax(everything))
    moved = plain - of_best[defined].mean()
    spread = np.array([chosen.mean(), *np.percentile(chosen, [2.5, 97.5])])
    value, low, high = np.clip(spread + moved, 0.0, 1.0)
    return CorrectedScore(plain, float(value), float(low), float(high))
