"""The samplers of the stages."""

import optuna
import pytest
from support.tiny import tiny_settings

from lib.studies.samplers import StaticSpaceGPSampler, StaticSpaceNSGAIISampler, StaticSpaceTPESampler
from lib.studies.study import suggest_params


@pytest.mark.parametrize(
    ("own", "theirs"),
    [
        (
            lambda space: StaticSpaceTPESampler(space, seed=1, n_startup_trials=3),
            lambda: optuna.samplers.TPESampler(seed=1, multivariate=True, constant_liar=True, n_startup_trials=3),
        ),
        (
            lambda space: StaticSpaceNSGAIISampler(space, seed=1, population_size=3),
            lambda: optuna.samplers.NSGAIISampler(seed=1, population_size=3),
        ),
    ],
)
def test_a_sampler_that_knows_its_space_gives_the_suggestions_of_optunas_sampler(own, theirs) -> None:
    space = tiny_settings().space
    suggested = []
    for sampler in (own(space), theirs()):
        study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
        for _ in range(12):
            trial = study.ask()
            params = suggest_params(trial, space)
            study.tell(trial, [params["optim.lr"], params["head.dropout"]])
        suggested.append([trial.params for trial in study.trials])
    assert suggested[0] == suggested[1]


@pytest.mark.slow
def test_a_gaussian_process_finds_a_peak_that_random_search_misses() -> None:
    space, best = tiny_settings().space, []
    for sampler in (StaticSpaceGPSampler(space, seed=1), optuna.samplers.RandomSampler(seed=1)):
        study = optuna.create_study(direction="maximize", sampler=sampler)
        for _ in range(25):
            trial = study.ask()
            params = suggest_params(trial, space)
            study.tell(trial, -((params["head.dropout"] - 0.21) ** 2) - 1e6 * (params["optim.lr"] - 6e-4) ** 2)
        best.append(study.best_value)
    assert best[0] > -1e-3 and best[0] > best[1]
