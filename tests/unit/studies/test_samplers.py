"""The samplers of the stages."""

from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState
from support.studies import study_in
from support.tiny import tiny_settings

from lib.studies.budget import Budget
from lib.studies.samplers import StaticSpaceGPSampler, StaticSpaceNSGAIISampler, StaticSpaceTPESampler
from lib.studies.sobol import sobol_design
from lib.studies.study import suggest_params
from lib.studies.worker_registry import WorkerRegistry


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
    """In a space of which every trial uses all parameters."""
    constraints = {"head.layers": {"high": 1}, "schedule.name": {"choices": ["one_cycle"]}}
    space = tiny_settings(constraints=constraints).space
    assert len(space.groups()) == 1
    suggested = []
    for sampler in (own(space), theirs()):
        study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
        for _ in range(12):
            trial = study.ask()
            params = suggest_params(trial, space)
            study.tell(trial, [params["optim.lr"], params["head.dropout"]])
        suggested.append([trial.params for trial in study.trials])
    assert suggested[0] == suggested[1]


@pytest.mark.parametrize("kind", ["tpe", "gp", "nsga2"])
def test_a_sampler_suggests_what_a_trial_uses_and_learns_it_from_the_trials_that_used_it(kind: str) -> None:
    """The objective is a weight where the strategy uses weights, and low elsewhere."""
    space = tiny_settings(constraints={"aug.enabled": {"choices": [True]}}).space
    samplers = {
        "tpe": StaticSpaceTPESampler(space, seed=3, n_startup_trials=20),
        "gp": StaticSpaceGPSampler(space, seed=3),
        "nsga2": StaticSpaceNSGAIISampler(space, seed=3, population_size=10),
    }
    study = optuna.create_study(directions=["maximize"] * (1 + (kind == "nsga2")), sampler=samplers[kind])
    for _ in range(90 if kind != "gp" else 12):
        trial = study.ask()
        params = suggest_params(trial, space)
        assert params == space.used(params) and ("aug.weight_ocr" in params) == (params["aug.strategy"] == "custom")
        value = params.get("aug.weight_ocr", -1.0)
        study.tell(trial, [value] * len(study.directions))
    if kind != "gp":  # it draws such parameters at random
        last = [trial.params.get("aug.weight_ocr", -1.0) for trial in study.trials[-20:]]
        assert np.mean([weight > 0.7 for weight in last]) > 0.6


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


def test_nsga_ii_breeds_from_trials_with_given_parameters(tmp_path: Path) -> None:
    space, size = tiny_settings().space, 4
    known = sobol_design(space, size, seed=7)
    study = study_in(tmp_path, directions=["maximize", "minimize"])
    registry = WorkerRegistry(tmp_path / "processes")
    bred = []

    def sampler(number: int) -> StaticSpaceNSGAIISampler:
        return StaticSpaceNSGAIISampler(space, seed=number, population_size=size)

    for trial in study.claim_trials(Budget(2 * size), registry, sampler, known):
        params = suggest_params(trial, space)
        bred.append(params)
        study.end_trial(trial, {}, TrialState.COMPLETE, [params["optim.lr"], params["head.dropout"]])
    registry.close()
    generations = [trial.system_attrs["StaticSpaceNSGAIISampler:generation"] for trial in study.finished_trials()]
    assert generations == [0] * size + [1] * size
    inherited = [
        sum(child[name] in {parent[name] for parent in known} for name in ("optim.lr", "head.dropout"))
        for child in bred[size:]
    ]
    assert sum(inherited) >= size, "most rates are a parent's, unless they mutated"


@pytest.mark.parametrize("fail", [True, False])
def test_tpe_avoids_where_trials_fail(fail: bool) -> None:
    space = tiny_settings().space
    study = optuna.create_study(
        direction="maximize", sampler=StaticSpaceTPESampler(space, seed=3, n_startup_trials=10)
    )
    high = []
    for _ in range(60):
        trial = study.ask()
        dropout = suggest_params(trial, space)["head.dropout"]
        high.append(dropout > 0.1)
        # Above 0.1 training diverges, or, for comparison, ends like the others.
        study.tell(trial, state=TrialState.FAIL) if fail and high[-1] else study.tell(trial, 0.5)
    assert (sum(high[30:]) < 10) == fail
