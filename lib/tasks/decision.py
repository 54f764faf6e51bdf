"""The null policies, which decide when to predict negative, and the temperature of calibration."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from lib.settings.hyperparameters import Hyperparameters

_MIN_TEMPERATURE, _MAX_TEMPERATURE = 0.05, 20.0


def fit_temperature(loss: Callable[[float], float]) -> float:
    """Return the temperature in [0.05, 20] that minimises a loss (Guo et al., 2017).

    Args:
        loss: Maps a temperature to a negative log likelihood.
    """
    bounds = (np.log(_MIN_TEMPERATURE), np.log(_MAX_TEMPERATURE))
    found = minimize_scalar(lambda log: loss(float(np.exp(log))), bounds=bounds, method="bounded")
    return float(np.exp(found.x))


def apply_null_policy(
    hyper: Hyperparameters,
    yes: NDArray[np.float64],
    best: NDArray[np.float64],
    no: NDArray[np.float64],
    *,
    without_policy: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Decide for each example whether it has an answer.

    The policies predict positive in these cases:

    * `none`: where `without_policy` does.
    * `threshold`: where the probability of any answer reaches `null_policy.threshold`.
    * `ratio`: where the best answer is at least `null_policy.ratio` times as probable as no answer.
    * `calibrated`: where the probability of any answer is at least 0.5 at the fitted temperature.

    Args:
        hyper: Gives the policy and its parameter.
        yes: (n,) probability of any answer.
        best: (n,) probability of the best answer.
        no: (n,) probability of no answer.
        without_policy: (n,) the decisions of the policy `none`.

    Returns:
        (n,) True for a positive prediction.
    """
    if hyper.null_policy == "none":
        return without_policy
    if hyper.null_policy == "threshold":
        return yes >= hyper.null_threshold
    if hyper.null_policy == "ratio":
        return best >= hyper.null_ratio * no
    return yes >= 0.5


def negative_log_likelihood(yes: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    """Return the mean negative log likelihood of binary labels.

    Args:
        yes: (n,) probability of class 1; the probability of the true class is clipped at 1e-12 from below.
        truth: (n,) labels in {0, 1}.

    Returns:
        The mean in nats.
    """
    right = np.where(truth == 1, yes, 1 - yes)
    return float(-np.log(np.clip(right, 1e-12, 1)).mean())
