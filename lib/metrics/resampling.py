"""How sure is a score on few posts, and is one model better than another on them?

Posts are drawn, never rows: rows of a post are alike. A score is a function of sums over examples (`Task.terms`,
`Task.measure`), so that thousands of samples are one product of matrices.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAMPLES = 4000
ScoreFromStatistics = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class Interval:
    """A score, with its 95 % percentile interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """A difference of two models' scores, first less second, with its interval and a two-sided p."""

    value: float
    low: float
    high: float
    p: float


def sum_by_post(terms: NDArray[np.float64], posts: Sequence[str]) -> NDArray[np.float64]:
    """Sum the terms of each post's examples, (posts, terms)."""
    which = np.unique(posts, return_inverse=True)[1]
    summed = np.zeros((which.max() + 1, terms.shape[1]))
    np.add.at(summed, which, terms)
    return summed


def bootstrap(terms: NDArray[np.float64], measure: ScoreFromStatistics, seed: int) -> list[Interval]:
    """Return each score of `measure`, in [0, 1], with its cluster bootstrap interval (Davison & Hinkley, 1997).

    terms: by post.
    """
    scores = measure(terms.sum(axis=0, keepdims=True))[0]
    ends = _ends(measure(_drawn(terms, seed)), scores)
    return [
        Interval(float(score), max(0.0, low), min(1.0, high)) for score, (low, high) in zip(scores, ends, strict=True)
    ]


def paired_comparison(
    first: NDArray[np.float64], second: NDArray[np.float64], measure: ScoreFromStatistics, seed: int
) -> list[Difference]:
    """Compare two models on the same posts. first, second: terms by post.

    The interval is that of the paired bootstrap; p that of approximate randomisation (Noreen, 1989; Yeh, 2000): in
    each sample every post's two results are swapped or not, and p is how often the difference is as large.
    """
    observed = (measure(first.sum(axis=0, keepdims=True)) - measure(second.sum(axis=0, keepdims=True)))[0]
    ends = _ends(measure(_drawn(first, seed)) - measure(_drawn(second, seed)), observed)
    swapped = np.random.default_rng(seed + 1).integers(0, 2, (SAMPLES, len(first))).astype(np.float64)
    mixed = measure(first.sum(axis=0) + swapped @ (second - first)) - measure(
        second.sum(axis=0) + swapped @ (first - second)
    )
    p = (1 + (np.abs(mixed) >= np.abs(observed) - 1e-12).sum(axis=0)) / (1 + SAMPLES)
    return [
        Difference(float(value), *low_high, float(chance))
        for value, low_high, chance in zip(observed, ends, p, strict=True)
    ]


def holm(chances: Sequence[float]) -> list[float]:
    """Return p values adjusted for being that many, in their order (Holm, 1979)."""
    adjusted, least = [0.0] * len(chances), 0.0
    for rank, place in enumerate(np.argsort(chances, kind="stable").tolist()):
        least = max(least, min(1.0, (len(chances) - rank) * chances[place]))
        adjusted[place] = least
    return adjusted


def _drawn(terms: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Return the sums of samples of posts, (samples, terms); the same posts for the same seed."""
    n = len(terms)
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), SAMPLES)
    return np.asarray(drawn @ terms)


def _ends(scores: NDArray[np.float64], observed: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Return 95 % percentile intervals, moved by the bootstrap's bias.

    The ECE of drawn posts is larger than that of all: with fewer different posts its bins are off by more. Unmoved,
    an interval may not even hold the value it is of.
    """
    low, high = np.percentile(scores, [2.5, 97.5], axis=0) - (scores.mean(axis=0) - observed)
    return list(zip(low.tolist(), high.tolist(), strict=True))
