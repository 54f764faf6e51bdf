"""Statistics of repeated cross-validation."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats


@dataclass(frozen=True)
class Comparison:
    """A paired comparison: mean difference, t, two-sided p."""

    difference: float
    t: float | None
    p: float


def corrected_standard_error(values: NDArray[np.float64], test_train_ratio: float) -> float:
    """Standard error of a mean over overlapping folds (Nadeau & Bengio, 2003): sqrt((1/n + test/train) s²).

    values: (n,), one per fold and repeat, n ≥ 2. The naive s/√n would be too small, since folds share data.
    """
    n = len(values)
    if n < 2:
        raise ValueError("at least two folds are needed")
    return math.sqrt((1 / n + test_train_ratio) * float(np.var(values, ddof=1)))


def corrected_resampled_t_test(
    first: NDArray[np.float64], second: NDArray[np.float64], test_train_ratio: float
) -> Comparison:
    """Corrected resampled t-test (Nadeau & Bengio, 2003; Bouckaert & Frank, 2004) on paired folds.

    first, second: (n,) scores on the same folds. Equal scores everywhere give p = 1.
    """
    difference = first - second
    mean = float(difference.mean())
    error = corrected_standard_error(difference, test_train_ratio)
    if error == 0:
        return Comparison(mean, None, 1.0 if mean == 0 else 0.0)
    t = mean / error
    return Comparison(mean, t, float(2 * stats.t.sf(abs(t), df=len(difference) - 1)))
