"""Run trials of Stage A or B, seed by seed, until the study has spent its budget."""

import os
import sys
import time
from functools import partial
from typing import Any

from optuna.trial import Trial, TrialState

from lib.experiment.experiment import Experiment, TrialPruned
from lib.schemas.document import now
from lib.schemas.run import Run, SeedResult
from lib.schemas.search import WorkerReport
from lib.search.progress import Progress
from lib.search.strategies import SearchStrategy
from lib.search.study_results import stage_budget, study_location
from lib.search.watchdog import Watchdog
from lib.studies.location import StudyLocation
from lib.studies.study import SharedStudy, fail_trial, suggest_params
from lib.studies.worker_registry import WorkerRegistry
from lib.training.data import TrainingFailure
from lib.training.engine import TrainingResult


def run_worker(experiment: Experiment, strategy: SearchStrategy) -> WorkerReport:
    """Run trials until the study has spent its budget; other workers may run at the same time.

    A trial that takes longer than trial_minutes is recorded as failed, and this process restarts itself.

    Args:
        experiment: Trains the trials.
        strategy: How the stage searches.

    Returns:
        The numbers of the trials that this process ran, and how long it was busy.

    Raises:
        UserError: The study was begun with other settings, or a setting would fail later.
    """
    started, began = now(), time.monotonic()
    study = SharedStudy(
        study_location(experiment.settings, experiment.results, experiment.agent.name, strategy.stage),
        directions=strategy.directions,
        pruner=strategy.pruner,
        identity=_identity(experiment, strategy),
    )
    experiment.check()
    head, before = f"{strategy.stage} {experiment.agent.name}", len(study.finished_trials())
    budget = stage_budget(experiment.settings.config, strategy.stage)
    progress = Progress(head, experiment.objective, budget, before)
    minutes = experiment.settings.config.trial_minutes
    watchdog = Watchdog(None if minutes is None else 60 * minutes)
    registry = WorkerRegistry(study.location.processes)
    numbers, busy = [], 0.0
    try:
        for trial in study.claim_trials(budget, registry, strategy.sampler, strategy.enqueued):
            begun = time.monotonic()
            with watchdog.watch(partial(_abort, study.location, trial, minutes)):
                _run_trial(study, trial, experiment, strategy)
            busy += time.monotonic() - begun
            numbers.append(trial.number)
            progress.add(trial.number, study.finished_trials())
    finally:
        try:
            study.leave()
        finally:
            registry.close()
    performance = {"seconds": round(time.monotonic() - began, 1), "busy_seconds": round(busy, 1)}
    return WorkerReport(
        provenance=experiment.provenance(started),
        agent=experiment.agent.name,
        stage=strategy.stage,
        trials=numbers,
        performance=performance,
    )


def _abort(location: StudyLocation, trial: Trial, minutes: float | None) -> None:
    """Fail a trial whose training may hang, and restart this process."""
    reason = f"took longer than trial_minutes = {minutes:g}"
    print(f"{location}: trial {trial.number} {reason}; it is recorded as failed", file=sys.stderr, flush=True)
    # A new connection, because the hanging training may hold the lock of the other one.
    fail_trial(location.storage(), trial, reason, time.time())
    os.execv(sys.executable, sys.orig_argv)


def _identity(experiment: Experiment, strategy: SearchStrategy) -> dict[str, Any]:
    """Return the settings that must not change within a study.

    The budget may grow, and settings that only decide how new trials are drawn may change.
    """
    config, training = experiment.settings.config, experiment.settings.config.training
    return {
        **experiment.identity,
        "epochs": strategy.epochs,
        "seeds": strategy.limits.seeds,
        # These decide which validation examples are scored.
        "validation_fraction": training.validation_fraction,
        "evaluated_unannotated": training.evaluated_unannotated,
        "tfidf": config.tfidf.model_dump(mode="json"),
        "space": strategy.space.model_dump(mode="json")["parameters"],
    }


def _run_trial(study: SharedStudy, trial: Trial, experiment: Experiment, strategy: SearchStrategy) -> None:
    """Train a trial's seeds in order and record how it ended."""
    params = suggest_params(trial, strategy.space)
    seeds: list[SeedResult] = []
    try:
        for seed in range(strategy.limits.seeds):
            watch = partial(strategy.after_epoch, trial) if strategy.after_epoch is not None and seed == 0 else None
            split = experiment.splits.development(seed)
            run = experiment.run(params, split, epochs=strategy.epochs, on_epoch=watch)
            seeds.append(_seed_result(seed, run.key, run))
            if len(seeds) < strategy.limits.seeds and strategy.after_seed(trial, seeds):
                study.end_trial(trial, _as_attributes(seeds), TrialState.PRUNED)
                return
    except TrialPruned as pruned:
        seeds.append(_seed_result(0, "", pruned.result))
        study.end_trial(trial, _as_attributes(seeds), TrialState.PRUNED)
    except TrainingFailure as failure:
        study.end_trial(trial, _as_attributes(seeds) | {"reason": str(failure)}, TrialState.FAIL)
    else:
        study.end_trial(trial, _as_attributes(seeds), TrialState.COMPLETE, strategy.values(seeds))


def _as_attributes(seeds: list[SeedResult]) -> dict[str, Any]:
    return {"seeds": [seed.model_dump() for seed in seeds]}


def _seed_result(seed: int, key: str, run: Run | TrainingResult) -> SeedResult:
    return SeedResult(
        seed=seed,
        key=key,
        objective=run.scores["objective"],
        calibration_error=run.scores["calibration_error"],
        by_policy=run.history[run.best_epoch - 1]["by_policy"],
        best_epoch=run.best_epoch,
        epochs_run=len(run.history),
        stopped=run.stopped,
    )
