"""Doing a study's trials: seeds in order, failures, until the budget is reached."""

import os
import sys
import time
from functools import partial
from typing import Any

from optuna.trial import Trial, TrialState

from lib.files.documents import now
from lib.search.documents import SeedResult, Served
from lib.search.experiment import Experiment, PrunedError, Run
from lib.search.owners import Owners
from lib.search.plans import Plan
from lib.search.progress import Progress
from lib.search.results import place
from lib.search.study import Place, Study, fail, suggest
from lib.search.watchdog import Watchdog
from lib.settings.config import StageASettings, StageBSettings
from lib.training.engine import Outcome
from lib.training.lesson import TrainingFailure


def serve(experiment: Experiment, plan: Plan) -> Served:
    """Do trials until the study has its budget, beside any other process that does."""
    started, began = now(), time.monotonic()
    study = Study(
        place(experiment.settings, experiment.results, experiment.agent.name, plan.stage),
        directions=plan.directions,
        pruner=plan.pruner,
        identity=_identity(experiment, plan.limits),
    )
    experiment.check()
    progress = Progress(plan.stage, experiment.agent.name, plan.limits.trials, len(study.over()))
    minutes = experiment.settings.config.trial_minutes
    watchdog = Watchdog(None if minutes is None else 60 * minutes)
    owners = Owners(study.place.folder / "processes")
    numbers, busy = [], 0.0
    try:
        for trial in study.trials(plan.limits.trials, owners, plan.sampler, plan.fixed):
            begun = time.monotonic()
            with watchdog.watch(partial(_give_up, study.place, trial, minutes)):
                _one(study, trial, experiment, plan)
            busy += time.monotonic() - begun
            numbers.append(trial.number)
            progress.add(trial.number, study.over())
    finally:
        owners.close()
    performance = {"seconds": round(time.monotonic() - began, 1), "busy_seconds": round(busy, 1)}
    return Served(
        provenance=experiment.provenance(started),
        agent=experiment.agent.name,
        stage=plan.stage,
        trials=numbers,
        performance=performance,
    )


def _give_up(at: Place, trial: Trial, minutes: float | None) -> None:
    """Fail a trial whose training may hang, and begin this process anew."""
    reason = f"took longer than trial_minutes = {minutes:g}"
    print(f"{at}: trial {trial.number} {reason}; it is given up", file=sys.stderr, flush=True)
    # Its own connection: the other may be in the hands of what hangs.
    fail(at.storage(), trial, reason)
    os.execv(sys.executable, sys.orig_argv)


def _identity(experiment: Experiment, limits: StageASettings | StageBSettings) -> dict[str, Any]:
    """The budget (trials) may grow, and what only decides how new trials are drawn may change; nothing else."""
    return {
        **experiment.identity,
        "epochs": limits.epochs,
        "seeds": limits.seeds,
        "validation_fraction": experiment.settings.config.training.validation_fraction,
        "space": experiment.settings.space.model_dump(mode="json")["parameters"],
    }


def _one(study: Study, trial: Trial, experiment: Experiment, plan: Plan) -> None:
    """Train a trial's seeds in order and tell the study how it ended."""
    params = suggest(trial, experiment.settings.space)
    seeds: list[SeedResult] = []
    try:
        for seed in range(plan.limits.seeds):
            watch = partial(plan.after_epoch, trial) if plan.after_epoch is not None and seed == 0 else None
            split = experiment.development_split(seed)
            run = experiment.run(params, split, epochs=plan.limits.epochs, on_epoch=watch)
            seeds.append(_seed_result(seed, run.key, run))
            if len(seeds) < plan.limits.seeds and plan.after_seed(trial, seeds):
                study.tell(trial, _as_attributes(seeds), TrialState.PRUNED)
                return
    except PrunedError as pruned:
        seeds.append(_seed_result(0, "", pruned.outcome))
        study.tell(trial, _as_attributes(seeds), TrialState.PRUNED)
    except TrainingFailure as failure:
        study.tell(trial, _as_attributes(seeds) | {"reason": str(failure)}, TrialState.FAIL)
    else:
        study.tell(trial, _as_attributes(seeds), TrialState.COMPLETE, plan.values(seeds))


def _as_attributes(seeds: list[SeedResult]) -> dict[str, Any]:
    return {"seeds": [seed.model_dump() for seed in seeds]}


def _seed_result(seed: int, key: str, run: Run | Outcome) -> SeedResult:
    return SeedResult(
        seed=seed,
        key=key,
        f1_macro=run.scores["f1_macro"],
        ece=run.scores["ece"],
        best_epoch=run.best_epoch,
        epochs_run=len(run.history),
        stopped=run.stopped,
    )
