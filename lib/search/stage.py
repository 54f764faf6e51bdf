"""What Stages A and B share: serving a study, seeds, failures, results."""

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, Trial, TrialState

from lib.errors import UserError
from lib.files.documents import now
from lib.search.documents import Counts, SeedResult, Served, TrialResult
from lib.search.experiment import Experiment, PrunedError, Run
from lib.search.owners import Owners
from lib.search.progress import Progress
from lib.search.study import OVER, Direction, Place, Study, fail, known
from lib.search.watchdog import Watchdog
from lib.settings.config import StageASettings, StageBSettings
from lib.settings.load import Settings
from lib.training.engine import OnEpoch, Outcome
from lib.training.lesson import TrainingFailure


@dataclass(frozen=True)
class Plan:
    """How a stage searches.

    values: the objective(s) from the seeds' results. on_epoch: reports a trial's first seed to the pruner. fixed:
    parameters of the first trials.
    """

    stage: str
    limits: StageASettings | StageBSettings
    directions: Sequence[Direction]
    pruner: BasePruner
    sampler: Callable[[int], BaseSampler]
    values: Callable[[list[SeedResult]], list[float]]
    on_epoch: Callable[[Trial], OnEpoch] | None = None
    fixed: Sequence[dict[str, Any]] = ()


def place(settings: Settings, results: Path, agent: str, stage: str) -> Place:
    """Return where a stage's study is."""
    return Place(f"{agent}/{stage}", results / agent / "studies", settings.config.storage)


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
            progress.add(study.ended(trial.number), study.over())
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


def finished(experiment: Experiment, plan: Plan) -> list[FrozenTrial]:
    """Return the trials of a study that has its budget. Raises UserError if it has not."""
    at = place(experiment.settings, experiment.results, experiment.agent.name, plan.stage)
    over = [trial for trial in known(at) or [] if trial.state in OVER]
    if len(over) < plan.limits.trials:
        command = plan.stage.replace("_", "-")
        raise UserError(
            f"{at}: {len(over)} of {plan.limits.trials} trials are over; have the rest done by"
            f" 'python -m lib {command}-worker {experiment.agent.name}'"
        )
    return over


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
    params = study.suggest(trial, experiment.settings.space)
    seeds: list[SeedResult] = []
    try:
        for seed in range(plan.limits.seeds):
            watch = plan.on_epoch(trial) if plan.on_epoch is not None and seed == 0 else None
            split = experiment.development_split(seed)
            run = experiment.run(params, split, epochs=plan.limits.epochs, on_epoch=watch)
            seeds.append(_seed_result(seed, run.key, run))
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


def trial_result(trial: FrozenTrial) -> TrialResult:
    """Turn a trial that is over into what the result files hold."""
    seeds = [SeedResult(**seed) for seed in trial.user_attrs.get("seeds", [])]
    return TrialResult(
        number=trial.number,
        state=trial.state.name,
        params=trial.params,
        f1_macro=float(np.mean([s.f1_macro for s in seeds])) if seeds else None,
        ece=float(np.mean([s.ece for s in seeds])) if seeds else None,
        seeds=seeds,
        reason=trial.user_attrs.get("reason"),
    )


def counts(ended: list[FrozenTrial]) -> Counts:
    """Count how trials ended."""
    states = [trial.state for trial in ended]
    return Counts(
        complete=states.count(TrialState.COMPLETE),
        pruned=states.count(TrialState.PRUNED),
        failed=states.count(TrialState.FAIL),
    )


def reasons(ended: list[FrozenTrial]) -> str:
    """Say why trials failed, for an error line."""
    found = sorted({str(trial.user_attrs["reason"]) for trial in ended if "reason" in trial.user_attrs})
    return "; ".join(found) or "none failed"
