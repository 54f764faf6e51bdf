"""Whether a trial is worth its next epochs or seed: rungs for one objective (ASHA), racing for two."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from optuna.pruners import BasePruner
from optuna.study import Study
from optuna.trial import FrozenTrial

# In multiples of `reduction`: the trials that a rung compares, and those that must have come before it judges at
# all; docs/performance.md has what else was tried.
_COMPARED, _REQUIRED = 4, 2
# One-sided 95 % of the normal distribution.
_Z_ONE_SIDED_95 = 1.645


def rung_steps(first: int, epochs: int, seeds: int, reduction: int) -> list[int]:
    """Return the steps at which Stage A judges a trial.

    Epochs of the first seed, each `reduction` times the one before; then the end of each seed but the last: step
    `epochs` is the first seed's end, one more for each further seed. Of two rungs that lie nearer to each other than
    half a factor of `reduction` (on a log scale) only the end of the seed is left: it would be the same question
    twice.
    """
    steps, step = [], first
    while step * math.sqrt(reduction) <= epochs:
        steps.append(step)
        step *= reduction
    return [*steps, *range(epochs, epochs + seeds - 1)]


def min_trials_at_rung(reduction: int) -> int:
    """Return how many trials pass a rung whatever they are worth, since too few have come to compare them with."""
    return _REQUIRED * reduction - 1


class AshaPruner(BasePruner):
    """ASHA (Li et al., 2020): at a rung, one trial in `reduction` goes on.

    A trial is compared with the last few that reached the rung, not with all: the sampler learns, and against its
    first attempts nearly all that it suggests later would go on. The first few to reach a rung go on: to be second
    of two says nothing. Nothing is written: a trial's value at a rung is what it last reported there or, where its
    training had stopped, before.
    """

    def __init__(self, steps: Sequence[int], reduction: int, recent: int | None = None) -> None:
        """recent: how many trials a rung compares; none: 4 × reduction."""
        self._steps, self._reduction = set(steps), reduction
        self._recent = recent or _COMPARED * reduction

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Return whether to stop a trial that has just reported (more is better)."""
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
    """Return the last value at or before a step; None if the trial has not come so far."""
    if trial.last_step is None or trial.last_step < step:
        return None
    return trial.intermediate_values[max(s for s in trial.intermediate_values if s <= step)]


def is_dominated(costs: NDArray[np.float64], finished: NDArray[np.float64]) -> bool:
    """Return whether a trial is dominated by a finished one beyond what its missing seeds can change.

    costs: of the trial's first k seeds, (k, objectives), less is better. finished: (trials, seeds, objectives).
    Trials share their splits, so they are compared seed by seed. The noise of one seed is the residual standard
    deviation s of finished trials beside the effects of trial and seed; the difference of two means over all n seeds
    then lies around that over k with standard deviation s √(2 (1/k − 1/n)). A trial is hopeless if one finished
    trial leads by more than 1.645 of these in every objective. A racing rule after Birattari et al. (2002).
    """
    trials, seeds, _ = finished.shape
    k = len(costs)
    if trials < 2 or k >= seeds:
        return False
    residual = finished - finished.mean(1, keepdims=True) - finished.mean(0, keepdims=True) + finished.mean((0, 1))
    noise = np.sqrt((residual**2).sum((0, 1)) / ((trials - 1) * (seeds - 1)))
    margin = _Z_ONE_SIDED_95 * noise * math.sqrt(2 * (1 / k - 1 / seeds))
    lead = costs.mean(0) - finished[:, :k].mean(1)
    return bool((lead > margin).all(1).any())
