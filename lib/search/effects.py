"""Measure which augmentation methods go together with better trials."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lib.augmentation.methods import METHODS, expected_method_shares
from lib.schemas.search import MethodEffect, TrialResult

_LEAST, _RESAMPLES = 4, 1000


def method_effects(trials: Sequence[TrialResult], seed: int) -> list[MethodEffect]:
    """Correlate how often an epoch applies each method with the first seed's objective (Spearman's rho).

    Completed trials count, and also trials that were pruned after a seed, because their first seed was trained to the
    end. The 95 % intervals are percentile bootstrap intervals over trials. A search is not an experiment, because its
    sampler chose the trials and one trial can use several methods.

    Args:
        trials: Ended trials of Stage A, in any state.
        seed: Seed of the bootstrap.

    Returns:
        An entry for each known method; rho and its interval are None if there is nothing to correlate.
    """
    done = [t for t in trials if t.state in ("COMPLETE", "PRUNED") and t.seeds[0].stopped != "pruned"]
    objective = np.array([trial.seeds[0].objective for trial in done])
    exposed = [expected_method_shares(trial.params) for trial in done]
    rng = np.random.default_rng(seed)
    effects = []
    for name in METHODS:
        often = np.array([each[name] for each in exposed])
        rho, low, high = _spearman(often, objective, rng)
        effects.append(
            MethodEffect(method=name, trials=len(done), exposed=int((often > 0).sum()), rho=rho, low=low, high=high)
        )
    return effects


def _spearman(
    often: NDArray[np.float64], objective: NDArray[np.float64], rng: np.random.Generator
) -> tuple[float | None, float | None, float | None]:
    """Return rho and the ends of its interval, or None for each if there is nothing to correlate."""
    if len(objective) < _LEAST or np.ptp(often) == 0 or np.ptp(objective) == 0:
        return None, None, None
    drawn = rng.integers(len(objective), size=(_RESAMPLES, len(objective)))
    x, y = often[drawn], objective[drawn]
    varied = (np.ptp(x, axis=1) > 0) & (np.ptp(y, axis=1) > 0)
    ranks = [stats.rankdata(values[varied], axis=1) for values in (x, y)]
    first, second = (each - each.mean(axis=1, keepdims=True) for each in ranks)
    samples = (first * second).sum(axis=1) / np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    low, high = np.percentile(samples, [2.5, 97.5])
    return float(stats.spearmanr(often, objective).statistic), float(low), float(high)
