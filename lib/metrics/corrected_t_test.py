"""Compute standard errors and tests for repeated cross-validation."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats


@dataclass(frozen=True)
class FoldComparison:
    """A paired comparison of two models over the folds of cross-validation.

    Attributes:
        difference: Mean difference, first less second.
        t: The t statistic; None if all differences are equal.
        p: Two-sided p value.
    """

    difference: float
    t: float | None
    p: float


def corrected_standard_error(values: NDArray[np.float64], test_train_ratio: float) -> float:
    """Return the standard error of a mean over overlapping folds (Nadeau & Bengio, 2003).

    It is sqrt((1/n + test/train) s²). The naive s/√n would be too small, because the folds share training data.

    Args:
        values: A score for each fold and repeat, (n,), n ≥ 2.
        test_train_ratio: Size of the held-out fold relative to the training part, 1 / (k − 1) for k folds.

    Returns:
        The standard error, in the unit of the values.

    Raises:
        ValueError: There are fewer than two values.
    """
    n = len(values)
    if n < 2:
        raise ValueError("at least two folds are needed")
    return math.sqrt((1 / n + test_train_ratio) * float(np.var(values, ddof=1)))


def corrected_resampled_t_test(
    first: NDArray[np.float64], second: NDArray[np.float64], test_train_ratio: float
) -> FoldComparison:
    """Compare two models with the corrected resampled t-test (Nadeau & Bengio, 2003; Bouckaert & Frank, 2004).

    Args:
        first: Scores of the first model, (n,), n ≥ 2.
        second: Scores of the second model on the same folds, (n,).
        test_train_ratio: Size of the held-out fold relative to the training part, 1 / (k − 1) for k folds.

    Returns:
        Mean difference, t and p with n − 1 degrees of freedom. If the difference is the same on all folds, t is None,
        and p is 1 for equal scores, else 0.
    """
    difference = first - second
    mean = float(difference.mean())
    error = corrected_standard_error(difference, test_train_ratio)
    if error == 0:
        return FoldComparison(mean, None, 1.0 if mean == 0 else 0.0)
    t = mean / error
    return FoldComparison(mean, t, float(2 * stats.t.sf(abs(t), df=len(difference) - 1)))
