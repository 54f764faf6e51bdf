"""Decide whether a trial continues, by the rungs of ASHA for one objective and by racing for two objectives."""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from optuna.pruners import BasePruner
from optuna.study import Study
from optuna.trial import FrozenTrial

# In multiples of `reduction`: how many trials a rung compares, and how many must have reached it before it stops any.
# docs/performance.md lists the values that were tried.
_COMPARED, _REQUIRED = 4, 2
# The probability with which racing may stop a trial that equals the front.
_RISK = 0.05


def rung_steps(first: int, epochs: int, seeds: int, reduction: int) -> list[int]:
    """Return the steps (rungs) at which Stage A can stop a trial.

    The first rungs are epochs of the first seed, each `reduction` times the one before. The others are the ends of
    all seeds but the last. An epoch closer to the end of the first seed than a factor of √reduction is left out,
    because the two rungs would compare almost the same results.

    Args:
        first: Epoch of the first rung, at least 1.
        epochs: Epochs of a seed's training.
        seeds: Seeds of a trial.
        reduction: One in this many trials continues at each rung, at least 2.

    Returns:
        Steps in ascending order. A step below `epochs` is an epoch of the first seed; step `epochs` is the end of the
        first seed, `epochs + 1` the end of the second, and so on.
    """
    steps, step = [], first
    while step * math.sqrt(reduction) <= epochs:
        steps.append(step)
        step *= reduction
    return [*steps, *range(epochs, epochs + seeds - 1)]


def min_trials_at_rung(reduction: int) -> int:
    """Return how many trials pass a rung without comparison, because too few have reached it."""
    return _REQUIRED * reduction - 1


class AshaPruner(BasePruner):
    """ASHA (Li et al., 2020), in which one trial in `reduction` continues at each rung.

    A trial is compared only with the last few trials that reached the rung. The sampler learns, so nearly all of its
    later trials are better than its first ones and would continue. The first few trials to reach a rung always
    continue, because a comparison with one or two others says nothing. The pruner stores nothing. A trial's value at
    a rung is the last value that it reported at or before that step.
    """

    def __init__(self, steps: Sequence[int], reduction: int, recent: int | None = None) -> None:
        """Set the rungs.

        Args:
            steps: Steps of the rungs, as `rung_steps` returns them.
            reduction: One in this many trials continues at each rung.
            recent: How many trials a rung compares, with the trial that has just reached it; None for 4 × reduction.
        """
        self._steps, self._reduction = set(steps), reduction
        self._recent = recent or _COMPARED * reduction

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Return whether to stop a trial that has just reported a value.

        Args:
            study: The study, with all trials and the values that they reported.
            trial: The trial that has just reported; greater values are better.

        Returns:
            True if the last step is a rung, enough trials have reached it, and the trial is not among the best
            1 / `reduction` of the recent ones.
        """
        step = trial.last_step
        if step not in self._steps:
            return False
        own = trial.intermediate_values[step]
        others = [t for t in study.get_trials(deepcopy=False) if t.number != trial.number]
        values = [value for t in others if (value := _value_at(t, step)) is not None]
        recent = values[1 - self._recent :]
        better = sum(value > own for value in recent)
        return len(values) >= min_trials_at_rung(self._reduction) and better >= (len(recent) + 1) // self._reduction


def _value_at(trial: FrozenTrial, step: int) -> float | None:
    """Return the last value at or before a step, or None if the trial has not reached the step."""
    if trial.last_step is None or trial.last_step < step:
        return None
    return trial.intermediate_values[max(s for s in trial.intermediate_values if s <= step)]


def is_dominated(costs: NDArray[np.float64], finished: NDArray[np.float64]) -> bool:
    """Return whether a finished trial dominates this one by more than its missing seeds are likely to change.

    This is a racing rule after Birattari et al. (2002). Trials share their splits, so they are compared seed by seed,
    and only with the front of the finished trials, which has one that dominates if any does. A trial is dominated if
    one of the m trials of the front leads by more than z standard deviations of `noise_of_lead` in every one of the d
    objectives. If the noises of the objectives are independent, z is such that a trial that equals the front is
    stopped with a probability of at most 5 %: 1 − Φ(z) = (0.05 / m)^(1/d).

    Args:
        costs: Objectives of the trial's first k seeds, (k, objectives); less is better.
        finished: Objectives of the completed trials, (trials, seeds, objectives).

    Returns:
        True if the trial is dominated; False if fewer than two trials have finished or no seed is missing.
    """
    trials, seeds, objectives = finished.shape
    k = len(costs)
    if trials < 2 or k >= seeds:
        return False
    means = finished.mean(1)
    front = finished[[not ((means <= own).all(1) & (means < own).any(1)).any() for own in means]]
    z = -NormalDist().inv_cdf((_RISK / len(front)) ** (1 / objectives))
    lead = costs.mean(0) - front[:, :k].mean(1)
    return bool((lead > z * noise_of_lead(finished, k)).all(1).any())


def noise_of_lead(finished: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Return by how much the lead of one trial over another can change with its further seeds.

    The noise of one seed is the residual standard deviation s of the finished trials after the effects of trial and
    seed are removed. The difference of two means over all n seeds then varies around the difference over the first k
    seeds with standard deviation s √(2 (1/k − 1/n)).

    Args:
        finished: Objectives of the completed trials, (trials, seeds, objectives), at least two of each.
        k: The number of seeds so far, at least 1.

    Returns:
        (objectives,) the standard deviations.
    """
    trials, seeds, _ = finished.shape
    residual = finished - finished.mean(1, keepdims=True) - finished.mean(0, keepdims=True) + finished.mean((0, 1))
    noise: NDArray[np.float64] = np.sqrt((residual**2).sum((0, 1)) / ((trials - 1) * (seeds - 1)))
    return noise * math.sqrt(2 * (1 / k - 1 / seeds))
