"""The samplers of the stages."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.samplers import BaseSampler
from optuna.trial import TrialState
from support.studies import study_in
from support.tiny import tiny_settings

from lib.settings.space import Space
from lib.studies.budget import Budget
from lib.studies.optuna_internals import suggest_value
from lib.studies.samplers import StaticSpaceGPSampler, StaticSpaceNSGAIISampler, StaticSpaceTPESampler, distributions
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


def share_that_fails(make_sampler: Callable[[Space, int], BaseSampler], seeds: range, trials: int) -> float:
    """Return the share of the later half of trials whose dropout is in the half of its range in which all fail."""
    space = tiny_settings().space
    space = Space(parameters={n: p for n, p in space.parameters.items() if n in ("head.dropout", "optim.lr")})
    middle = sum(space.parameters["head.dropout"].bounds) / 2
    failed = []
    for seed in seeds:
        study = optuna.create_study(direction="maximize", sampler=make_sampler(space, seed))
        for number in range(trials):
            trial = study.ask()
            values = {n: suggest_value(trial, n, d) for n, d in distributions(space.parameters).items()}
            fails = values["head.dropout"] > middle
            study.tell(trial, state=TrialState.FAIL) if fails else study.tell(trial, values["optim.lr"])
            failed.append(fails and number >= trials / 2)
    return sum(failed) / len(failed) * 2


@pytest.mark.parametrize(
    ("wrapper", "make_sampler", "seeds", "trials"),
    [
        ("FailuresAsPruned", lambda s, n: StaticSpaceTPESampler(s, seed=n, n_startup_trials=10), range(6), 40),
        ("FailuresAsWorst", lambda s, n: StaticSpaceGPSampler(s, seed=n), range(2), 24),
    ],
    ids=["tpe", "gp"],
)
def test_a_sampler_avoids_where_trials_fail(
    monkeypatch: pytest.MonkeyPatch,
    wrapper: str,
    make_sampler: Callable[[Space, int], BaseSampler],
    seeds: range,
    trials: int,
) -> None:
    seen = share_that_fails(make_sampler, seeds, trials)
    monkeypatch.setattr(f"lib.studies.optuna_internals.{wrapper}", lambda study, *_: study)
    unseen = share_that_fails(make_sampler, seeds, trials)
    assert seen < 0.3 and unseen > 0.8
