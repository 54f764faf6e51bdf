"""Studies with trials that need no training, and processes that run them."""

import math
import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

from lib.settings.space import Space
from lib.studies.budget import Budget
from lib.studies.location import StudyLocation
from lib.studies.study import SharedStudy, suggest_params
from lib.studies.worker_registry import WorkerRegistry
from support.tiny import tiny_settings

NAME = "criteria/stage_a"


def study_in(folder: Path, url: str | None = None, **more: Any) -> SharedStudy:
    """Open a study with its journal in a folder, or in the database behind a URL."""
    options: dict[str, Any] = {"directions": ["maximize"], "identity": {"seed": 1}}
    return SharedStudy(StudyLocation(NAME, folder, url), pruner=optuna.pruners.NopPruner(), **options | more)


def sampler(number: int) -> optuna.samplers.BaseSampler:
    """Make the sampler of a trial, seeded by the trial's number."""
    return optuna.samplers.TPESampler(seed=number, multivariate=True, n_startup_trials=3)


def random_sampler(number: int) -> optuna.samplers.BaseSampler:
    """Make a sampler that costs little, for trials whose parameters do not matter."""
    return optuna.samplers.RandomSampler(seed=number)


def run_trials(
    study: SharedStudy,
    budget: int,
    space: Space,
    stop_after: int = 10**9,
    make_sampler: Callable[[int], optuna.samplers.BaseSampler] = sampler,
    seconds: float = 0.0,
    **more: Any,
) -> list[dict[str, Any]]:
    """Run trials until the study has spent its budget, or stop as if killed. Return the parameters of the trials."""
    params = []
    registry = WorkerRegistry(study.location.processes)
    for done, trial in enumerate(study.claim_trials(Budget(budget), registry, make_sampler, **more)):
        params.append(suggest_params(trial, space))
        if (
            done == stop_after
        ):  # as after a kill, the trial stays RUNNING and the lock file stays, but nobody holds the lock
            assert registry._lock is not None
            registry._lock.close()
            return params
        time.sleep(seconds)
        score = -abs(math.log10(params[-1]["optim.lr"]) + 3.5)
        study.end_trial(trial, {"by": os.getpid()}, TrialState.COMPLETE, [score])
    registry.close()
    return params


def _worker(folder: Path, budget: int, url: str | None, seconds: float) -> None:
    run_trials(study_in(folder, url), budget, tiny_settings().space, make_sampler=random_sampler, seconds=seconds)


def start_workers(folder: Path, number: int, budget: int, url: str | None = None, seconds: float = 0.05) -> list[Any]:
    """Start processes that run the trials of a study, each for at least some seconds."""
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_worker, args=(folder, budget, url, seconds)) for _ in range(number)]
    for process in workers:
        process.start()
    return workers
