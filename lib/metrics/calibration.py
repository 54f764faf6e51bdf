"""Calibration, i.e. whether predictions with a confidence of 0.8 are right in eight of ten cases.

Every function takes weights, which say how many cases of a population each prediction stands for.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 15
# Bins of equal mass hold fewer cases, since only few pairs are positive.
_MASS_BINS = 10


def expected_calibration_error(
    confidence: NDArray[np.float64],
    correct: NDArray[np.bool_],
    weight: NDArray[np.float64] | None = None,
    n_bins: int = BINS,
) -> float:
    """Return the expected calibration error (Guo et al., 2017, eq. 3).

    Bins have equal width and are closed on the right. Empty bins have no weight.

    Args:
        confidence: (n,), a probability, in [0, 1]. For the top-label error it is that of the predicted class.
        correct: (n,), whether the event that has this probability is true.
        weight: (n,), the number of cases that each prediction stands for; 1 by default.
        n_bins: Number of bins.

    Returns:
        The error, in [0, 1].

    Raises:
        ValueError: The shapes differ, or n is 0.
    """
    if confidence.shape != correct.shape or confidence.ndim != 1:
        raise ValueError(f"confidence {confidence.shape} and correct {correct.shape} must both be (n,)")
    if not len(confidence):
        raise ValueError("no predictions to score")
    weight = np.ones(len(confidence)) if weight is None else weight
    sums = (calibration_gaps(confidence, correct, n_bins) * weight[:, None]).sum(axis=0)
    return float(ece_from_gaps(sums, weight.sum()))


def calibration_gaps(
    confidence: NDArray[np.float64], correct: NDArray[np.bool_], n_bins: int = BINS
) -> NDArray[np.float64]:
    """Return each prediction's contribution to the expected calibration error.

    Args:
        confidence: (n,), the probability of the predicted class, in [0, 1].
        correct: (n,), whether the prediction is right.
        n_bins: Number of bins.

    Returns:
        (n, n_bins), confidence − correct in the column of the prediction's bin, 0 elsewhere.
    """
    edges = np.linspace(0, 1, n_bins + 1)
    bins = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, n_bins - 1)
    placed = np.zeros((len(confidence), n_bins))
    placed[np.arange(len(confidence)), bins] = confidence - correct
    return placed


def ece_from_gaps(sums: NDArray[np.float64], n: NDArray[Any] | np.floating[Any]) -> NDArray[np.float64]:
    """Compute the expected calibration error from sums of gaps.

    Args:
        sums: (…, n_bins), the rows of `calibration_gaps`, weighted and summed over predictions.
        n: (…), the weight of the predictions in each sum.

    Returns:
        (…), the errors, in [0, 1].
    """
    error: NDArray[np.float64] = np.abs(sums).sum(axis=-1) / n
    return error


def classwise_ece(
    probability: NDArray[np.float64],
    label: NDArray[np.int64],
    criterion: NDArray[np.str_],
    weight: NDArray[np.float64],
) -> float:
    """Return the class-wise expected calibration error (Nixon et al., 2019), with the criteria as classes.

    Args:
        probability: (n,), the probability that the criterion is met.
        label: (n,), 1 where it is met, else 0.
        criterion: (n,), the criterion of each pair.
        weight: (n,), the number of pairs that each one stands for.

    Returns:
        The mean over the criteria that have a positive of the error of the probability of yes, in [0, 1]; 0 if none
        has.
    """
    errors = [
        expected_calibration_error(probability[own], label[own] == 1, weight[own])
        for own in (criterion == name for name in np.unique(criterion[label == 1]))
    ]
    return float(np.mean(errors)) if errors else 0.0


def calibration_error_of_yes(
    probability: NDArray[np.float64],
    predicted: NDArray[np.bool_],
    label: NDArray[np.int64],
    weight: NDArray[np.float64],
) -> float:
    """Return the calibration error of the probability of yes, over the pairs that are positive or predicted positive.

    Where nearly all pairs are negative, the top-label error is close to 0 for every model, since it is dominated by
    pairs that are clearly negative. These are left out here. The bins have equal mass (Nguyen & O'Connor, 2015).

    Args:
        probability: (n,), the probability that the criterion is met.
        predicted: (n,), whether the model predicts yes.
        label: (n,), 1 where the criterion is met, else 0.
        weight: (n,), the number of pairs that each one stands for.

    Returns:
        The error, in [0, 1]; 0 if model and truth say no everywhere.
    """
    chosen = predicted | (label == 1)
    if not chosen.any():
        return 0.0
    order = np.argsort(probability[chosen], kind="stable")
    mass = weight[chosen][order]
    gap = (probability - label)[chosen][order] * mass
    middle = (np.cumsum(mass) - mass / 2) / mass.sum()
    bins = np.minimum((middle * _MASS_BINS).astype(int), _MASS_BINS - 1)
    return float(np.abs(np.bincount(bins, gap, minlength=_MASS_BINS)).sum() / mass.sum())
