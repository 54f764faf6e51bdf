"""Confidence intervals of scores, and paired comparisons of two models, by resampling groups of posts.

Whole groups are drawn, because the rows of a post or of an author are not independent. A score is a function of sums
over examples (`sufficient_statistics` and `score_from_statistics` of `TaskPredictions`), so that one matrix product
gives thousands of samples.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from lib.metrics.classification import safe_divide

SAMPLES = 4000
# Average precision and AUROC are no functions of sums, so that their samples cost more.
_FEWER_SAMPLES = 1000
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


def sum_by_group(statistics: NDArray[np.float64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sum statistics over the examples of each group of posts.

    Args:
        statistics: (examples, statistics), the statistics of each example.
        groups: (examples,) the group of each example.

    Returns:
        (groups, statistics), with the groups sorted by number.
    """
    which = np.unique(groups, return_inverse=True)[1]
    summed = np.zeros((which.max() + 1, statistics.shape[1]))
    np.add.at(summed, which, statistics)
    return summed


def bootstrap(statistics: NDArray[np.float64], score: ScoreFromStatistics, seed: int) -> list[Interval]:
    """Compute scores with their cluster bootstrap intervals (Davison & Hinkley, 1997).

    Args:
        statistics: (groups, statistics), the statistics of each group of posts.
        score: Computes scores from sums of statistics, NaN where one is undefined.
        seed: Seed that draws the groups.

    Returns:
        Each score that `score` returns with its 95 % percentile interval, corrected for bias. Samples that leave a
        score undefined are left out.
    """
    scores = score(statistics.sum(axis=0, keepdims=True))[0]
    ends = _percentile_intervals(score(_bootstrap_sums(statistics, seed)), scores)
    return [Interval(float(value), *low_high) for value, low_high in zip(scores, ends, strict=True)]


def bootstrap_ranking(
    rankings: Sequence[tuple[NDArray[np.float64], NDArray[np.int64]]], groups: NDArray[np.int64], seed: int
) -> tuple[Interval, Interval]:
    """Compute average precision and AUROC with their cluster bootstrap intervals.

    Args:
        rankings: The probability of class 1, (n,), and the true class, 0 or 1, (n,), of each ranking of the same n
            examples, whose scores are averaged. Each has both classes.
        groups: (n,), the group of posts of each example.
        seed: Seed that draws the groups.

    Returns:
        The mean average precision and the mean AUROC with their intervals, as in `bootstrap`.

    Raises:
        ValueError: The lengths differ.
    """
    which = np.unique(groups, return_inverse=True)[1]
    n = int(which.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), _FEWER_SAMPLES)
    # The samples of all rankings are the same, so they are averaged one by one.
    found = np.mean([_ranking_scores(*ranking, which, drawn) for ranking in rankings], axis=0)
    everything = np.ones((1, n), dtype=np.int64)
    values = np.mean([_ranking_scores(*ranking, which, everything) for ranking in rankings], axis=0)[:, 0]
    precision, area = zip(values.tolist(), _percentile_intervals(found.T, values), strict=True)
    return Interval(precision[0], *precision[1]), Interval(area[0], *area[1])


def average_precision_of_samples(
    rankings: Sequence[tuple[NDArray[np.float64], NDArray[np.int64]]],
    groups: NDArray[np.int64],
    drawn: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the mean average precision of rankings for samples of groups.

    Args:
        rankings: As in `bootstrap_ranking`.
        groups: (n,), the group of posts of each example.
        drawn: (samples, groups), how often each sample holds each group, in the order of their numbers.

    Returns:
        (samples,), NaN where it is undefined.
    """
    which = np.unique(groups, return_inverse=True)[1]
    found: NDArray[np.float64] = np.mean([_ranking_scores(*each, which, drawn)[0] for each in rankings], axis=0)
    return found


def _ranking_scores(
    probability: NDArray[np.float64], label: NDArray[np.int64], group: NDArray[np.int64], drawn: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return average precision and AUROC of each sample of groups, (2, samples), NaN where they are undefined.

    Args:
        probability: (n,), the probability of class 1.
        label: (n,), the true class, 0 or 1.
        group: (n,), the number of each example's group.
        drawn: (samples, groups), how often each sample holds each group.
    """
    if not len(probability) == len(label) == len(group):
        raise ValueError(f"{len(probability)} probabilities, {len(label)} labels and {len(group)} groups")
    order = np.argsort(-probability, kind="stable")
    positive, which, ordered = label[order] == 1, group[order], probability[order]
    ends = np.append(np.flatnonzero(np.diff(ordered)), len(order) - 1)
    # Recall grows only where equal probabilities include a positive, so all examples are counted up to these places.
    ends = ends[np.diff(np.cumsum(positive)[ends], prepend=0) > 0]
    segment = np.searchsorted(ends, np.arange(len(order)))

    def count(chosen: NDArray[np.bool_]) -> csr_array:
        places = (segment[chosen], which[chosen])
        return csr_array((np.ones(len(places[0])), places), shape=(len(ends), drawn.shape[1]))

    counted = segment < len(ends)
    tied = ~positive & (ordered == ordered[ends[np.minimum(segment, len(ends) - 1)]])
    true_by_group, false_by_group, tied_by_group = count(positive), count(counted & ~positive), count(tied & counted)
    negatives = np.bincount(which[~positive], minlength=drawn.shape[1])

    def scores(counts: NDArray[np.int64]) -> NDArray[np.float64]:
        gained = true_by_group @ counts.T
        true, false = np.cumsum(gained, axis=0), np.cumsum(false_by_group @ counts.T, axis=0)
        precision = safe_divide(true, true + false)
        of_all = counts @ negatives
        above = of_all - false + (tied_by_group @ counts.T) / 2
        sums = (gained * precision).sum(axis=0), (gained * above).sum(axis=0)
        return np.stack([safe_divide(sums[0], true[-1], np.nan), safe_divide(sums[1], true[-1] * of_all, np.nan)])

    # A few samples at a time, because each needs an array of all positives.
    return np.concatenate([scores(drawn[start : start + 25]) for start in range(0, len(drawn), 25)], axis=1)


def paired_permutation_test(
    first: NDArray[np.float64], second: NDArray[np.float64], score: ScoreFromStatistics, seed: int
) -> list[Difference]:
    """Test two models on the same groups of posts by approximate randomisation (Noreen, 1989; Yeh, 2000).

    It swaps the two results of each group at random. The p values say how often the difference is at least as large
    as the observed one. The differences also get the intervals of the paired bootstrap.

    Args:
        first: (groups, statistics), the statistics of the first model.
        second: (groups, statistics), those of the second model on the same groups in the same order.
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
    """Return the sums over bootstrap samples of groups, (samples, statistics), which a seed fixes."""
    n = len(statistics)
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), SAMPLES)
    return np.asarray(drawn @ statistics)


def _percentile_intervals(scores: NDArray[np.float64], observed: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Return 95 % percentile intervals, corrected for the bias of the bootstrap.

    The ECE of a bootstrap sample is too high, because the sample holds fewer distinct groups and its bins deviate
    more. Without the correction, an interval may not even contain the observed value.
    """
    # Of deviations, because samples that all have the observed score must give exactly that score.
    deviations = (scores - observed).T
    return [
        _percentile_interval(float(value), own[~np.isnan(own)])
        for value, own in zip(observed, deviations, strict=True)
    ]


def _percentile_interval(observed: float, deviation: NDArray[np.float64]) -> tuple[float, float]:
    """Return the interval from the deviations of samples, NaN if no sample defines the score."""
    if not len(deviation):
        return float("nan"), float("nan")
    low, high = observed + np.percentile(deviation, [2.5, 97.5]) - deviation.mean()
    return float(low), float(high)
