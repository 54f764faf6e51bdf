"""Calibration: does a confidence of 0.8 mean right in eight of ten cases?"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 15


def expected_calibration_error(
    confidence: NDArray[np.float64], correct: NDArray[np.bool_], n_bins: int = BINS
) -> float:
    """Top-label expected calibration error (Guo et al., 2017, eq. 3).

    confidence: (n,) in [0, 1], the probability of the predicted class. correct: (n,) bool.
    Bins have equal width and are closed on the right; empty bins weigh nothing. Returns a value in [0, 1].
    Raises ValueError if the shapes differ or n is 0.
    """
    if confidence.shape != correct.shape or confidence.ndim != 1:
        raise ValueError(f"confidence {confidence.shape} and correct {correct.shape} must be (n,) alike")
    if not len(confidence):
        raise ValueError("no predictions to score")
    return float(ece_from_gaps(calibration_gaps(confidence, correct, n_bins).sum(axis=0), np.array(len(confidence))))


def calibration_gaps(
    confidence: NDArray[np.float64], correct: NDArray[np.bool_], n_bins: int = BINS
) -> NDArray[np.float64]:
    """Return (n, bins): each prediction's confidence less whether it was right, in the column of its bin."""
    edges = np.linspace(0, 1, n_bins + 1)
    bins = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, n_bins - 1)
    placed = np.zeros((len(confidence), n_bins))
    placed[np.arange(len(confidence)), bins] = confidence - correct
    return placed


def ece_from_gaps(sums: NDArray[np.float64], n: NDArray[Any]) -> NDArray[np.float64]:
    """Return the ECE of gaps summed over predictions, (…, bins), n of them, (…)."""
    error: NDArray[np.float64] = np.abs(sums).sum(axis=-1) / n
    return error
