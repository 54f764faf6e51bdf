"""Calibration: does a confidence of 0.8 mean right in eight of ten cases?"""

import numpy as np
from numpy.typing import NDArray


def expected_calibration_error(
    confidence: NDArray[np.float64], correct: NDArray[np.bool_], n_bins: int = 15
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
    edges = np.linspace(0, 1, n_bins + 1)
    bins = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, n_bins - 1)
    gaps = np.bincount(bins, weights=confidence - correct, minlength=n_bins)
    return float(np.abs(gaps).sum() / len(confidence))
