"""The numbers behind the figures of the report."""

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

from lib.reporting import figures
from lib.settings.config import StageASettings


def trial(number: int, lr: float, kind: str, f1: float, state=TrialState.COMPLETE, steps=None):
    made = create_trial(
        params={"lr": lr, "kind": kind},
        distributions={"lr": FloatDistribution(1e-5, 1e-2, log=True), "kind": CategoricalDistribution(["a", "b"])},
        value=f1,
        state=state,
        intermediate_values=steps or {},
        user_attrs={"seeds": [{"objective": f1}]},
    )
    made.number = number
    return made


def test_importance_finds_the_parameter_that_matters() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    rng = np.random.default_rng(0)
    trials = [
        trial(n, lr := float(10 ** rng.uniform(-5, -2)), str(rng.choice(["a", "b"])), -abs(np.log10(lr) + 3))
        for n in range(60)
    ]
    found = figures.importances(trials, 0)
    assert next(iter(found)) == "lr" and all(found["lr"][i] > 0.8 for i in (0, 1))
    assert figures.importances(trials[:5], 0) == {} and "<svg" in figures.plot_importances(found)


def test_rungs_count_trials_that_arrived_and_trials_that_continued() -> None:
    limits = StageASettings(trials=4, epochs=4, seeds=2, min_epochs=2, reduction=2)
    steps = [{1: 0.1, 2: 0.2}, {1: 0.1, 2: 0.3, 3: 0.4, 4: 0.4}, {1: 0.1, 2: 0.3, 3: 0.4, 4: 0.4}]
    states = [TrialState.PRUNED, TrialState.PRUNED, TrialState.COMPLETE]
    trials = [
        trial(n, 1e-3, "a", 0.4, state, step) for n, (state, step) in enumerate(zip(states, steps, strict=True))
    ]
    assert figures.rung_counts(trials, limits) == [("epoch 2", 3, 2), ("seed 1", 2, 1)]
