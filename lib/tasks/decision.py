"""When to say "no": the null policies, and the temperature that calibrates."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from lib.settings.hyperparameters import Hyperparameters

_COLDEST, _HOTTEST = 0.05, 20.0


def fit_temperature(loss: Callable[[float], float]) -> float:
    """Return the temperature in [0.05, 20] with the least loss (a negative log likelihood; Guo et al., 2017)."""
    bounds = (np.log(_COLDEST), np.log(_HOTTEST))
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
    """Decide for each example, (n,), by the null policy.

    yes, no: probabilities of any answer and of none. best: of the best answer. none: as `without_policy` says.
    threshold: yes reaches null_policy.threshold. ratio: the best answer is null_policy.ratio times as probable as
    none. calibrated: yes is the more probable, at the fitted temperature.
    """
    if hyper.null_policy == "none":
        return without_policy
    if hyper.null_policy == "threshold":
        return yes >= hyper.null_threshold
    if hyper.null_policy == "ratio":
        return best >= hyper.null_ratio * no
    return yes >= 0.5


def negative_log_likelihood(yes: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    """Mean over (n,) probabilities of a yes and what was true."""
    right = np.where(truth == 1, yes, 1 - yes)
    return float(-np.log(np.clip(right, 1e-12, 1)).mean())
