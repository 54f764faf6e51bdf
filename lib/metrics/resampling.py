"""Confidence intervals of scores, and paired comparisons of two models, by resampling posts.

Whole posts are drawn, because the rows of a post are not independent. A score is a function of sums over examples
(`Task.sufficient_statistics`, `Task.score_from_statistics`), so that one matrix product gives thousands of samples.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAMPLES = 4000
# Sums, (samples, statistics), to scores, (samples, scores).
ScoreFromStatistics = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class Interval:
    """A score with its 95 % interval, see `bootstrap`."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """A difference of two models' scores, first − second, with its 95 % interval and a two-sided p."""

    value: float
    low: float
    high: float
    p: float


def sum_by_post(statistics: NDArray[np.float64], posts: Sequence[str]) -> NDArray[np.float64]:
    """Sum statistics over the examples of each post.

    Args:
        statistics: (examples, statistics), the statistics of each example.
        posts: Post id of each example.

    Returns:
        (posts, statistics), with the posts sorted by id.
    """
    which = np.unique(posts, return_inverse=True)[1]
    summed = np.zeros((which.max() + 1, statistics.shape[1]))
    np.add.at(summed, which, statistics)
    return summed


def bootstrap(statistics: NDArray[np.float64], score: ScoreFromStatistics, seed: int) -> list[Interval]:
    """Compute scores with their cluster bootstrap intervals (Davison & Hinkley, 1997).

    Args:
        statistics: (posts, statistics), the statistics of each post.
        score: Computes scores in [0, 1] from sums of statistics.
        seed: Seed that draws the posts.

    Returns:
        Each score that `score` returns with its 95 % percentile interval, corrected for bias and clipped to [0, 1].
    """
    scores = score(statistics.sum(axis=0, keepdims=True))[0]
    ends = _percentile_intervals(score(_bootstrap_sums(statistics, seed)), scores)
    return [
        Interval(float(value), max(0.0, low), min(1.0, high)) for value, (low, high) in zip(scores, ends, strict=True)
    ]


def paired_comparison(
    first: NDArray[np.float64], second: NDArray[np.float64], score: ScoreFromStatistics, seed: int
) -> list[Difference]:
    """Compare two models on the same posts.

    The intervals are those of the paired bootstrap. The p values are those of approximate randomisation (Noreen,
    1989; Yeh, 2000), which swaps the two results of each post at random and counts how often the difference is
    at least as large as the observed one.

    Args:
        first: (posts, statistics), the statistics of the first model.
        second: (posts, statistics), those of the second model on the same posts in the same order.
        score: Computes scores from sums of statistics.
        seed: Seed that draws and swaps.

    Returns:
        The difference first − second of each score that `score` returns.
    """
    observed = (score(first.sum(axis=0, keepdims=True)) - score(second.sum(axis=0, keepdims=True)))[0]
    ends = _percentile_intervals(score(_bootstrap_sums(first, seed)) - score(_bootstrap_sums(second, seed)), observed)
    swapped = np.random.default_rng(seed + 1).integers(0, 2, (SAMPLES, len(first))).astype(np.float64)
    mixed = score(first.sum(axis=0) + swapped @ (second - first)) - score(
        second.sum(axis=0) + swapped @ (first - second)
    )
    p = (1 + (np.abs(mixed) >= np.abs(observed) - 1e-12).sum(axis=0)) / (1 + SAMPLES)
    return [
        Difference(float(value), *low_high, float(chance))
        for value, low_high, chance in zip(observed, ends, p, strict=True)
    ]


def holm(chances: Sequence[float]) -> list[float]:
    """Return p values adjusted for multiple comparisons (Holm, 1979), in their order."""
    adjusted, least = [0.0] * len(chances), 0.0
    for rank, place in enumerate(np.argsort(chances, kind="stable").tolist()):
        least = max(least, min(1.0, (len(chances) - rank) * chances[place]))
        adjusted[place] = least
    return adjusted


def _bootstrap_sums(statistics: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Return the sums over bootstrap samples of posts, (samples, statistics). The same seed draws the same posts."""
    n = len(statistics)
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), SAMPLES)
    return np.asarray(drawn @ statistics)


def _percentile_intervals(scores: NDArray[np.float64], observed: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Return 95 % percentile intervals, corrected for the bias of the bootstrap.

    The ECE of a bootstrap sample is too high, because the sample holds fewer distinct posts and its bins deviate
    more. Without the correction, an interval may not even contain the observed value.
    """
    low, high = np.percentile(scores, [2.5, 97.5], axis=0) - (scores.mean(axis=0) - observed)
    return list(zip(low.tolist(), high.tolist(), strict=True))
