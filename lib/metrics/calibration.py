"""Calibration, i.e. whether predictions with a confidence of 0.8 are right in eight of ten cases."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 15


def expected_calibration_error(
    confidence: NDArray[np.float64], correct: NDArray[np.bool_], n_bins: int = BINS
) -> float:
    """Return the top-label expected calibration error (Guo et al., 2017, eq. 3).

    Bins have equal width and are closed on the right. Empty bins have no weight.

    Args:
        confidence: (n,), the probability of the predicted class, in [0, 1].
        correct: (n,), whether the prediction is right.
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
    return float(ece_from_gaps(calibration_gaps(confidence, correct, n_bins).sum(axis=0), np.array(len(confidence))))


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


def ece_from_gaps(sums: NDArray[np.float64], n: NDArray[Any]) -> NDArray[np.float64]:
    """Compute the expected calibration error from sums of gaps.

    Args:
        sums: (…, n_bins), the rows of `calibration_gaps` summed over predictions.
        n: (…), the number of predictions in each sum.

    Returns:
        (…), the errors, in [0, 1].
    """
    error: NDArray[np.float64] = np.abs(sums).sum(axis=-1) / n
    return error
