"""What Stages A and B share: the trial loop, seeds, failures, results."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, Trial, TrialState

from lib.files.locks import hold
from lib.search.documents import Counts, SeedResult, TrialResult
from lib.search.experiment import Experiment, PrunedError, Run
from lib.search.progress import Progress
from lib.search.study import Direction, open_study, over, suggest, trials
from lib.settings.config import StageASettings, StageBSettings
from lib.training.engine import OnEpoch, Outcome
from lib.training.lesson import TrainingFailure


def search(
    experiment: Experiment,
    stage: str,
    limits: StageASettings | StageBSettings,
    *,
    directions: Sequence[Direction],
    pruner: BasePruner,
    sampler: Callable[[int], BaseSampler],
    values: Callable[[list[SeedResult]], float | list[float]],
    on_epoch: Callable[[Trial], OnEpoch] | None = None,
    enqueued: list[dict[str, Any]] | None = None,
) -> list[FrozenTrial]:
    """Run a study to its budget and return the trials that are over.

    values: the objective(s) from the seeds' results. on_epoch: reports a trial's first seed to the pruner.
    """
    settings = experiment.settings
    name = f"{experiment.agent.name}/{stage}"
    folder = experiment.results / experiment.agent.name / "studies"
    with hold(folder / f"{stage}.lock", f"study {name}"):
        study = open_study(
            name=name,
            folder=folder,
            url=settings.config.storage,
            directions=directions,
            pruner=pruner,
            identity=_identity(experiment, limits),
        )
        experiment.check()
        progress = Progress(stage, experiment.agent.name, limits.trials, map(trial_result, over(study)))
        for trial in trials(study, limits.trials, sampler, enqueued):
            _one(study, trial, experiment, limits, values, on_epoch)
            progress.add(trial_result(study.get_trials(deepcopy=False)[trial.number]))
        return over(study)


def _identity(experiment: Experiment, limits: StageASettings | StageBSettings) -> dict[str, Any]:
    """The budget (trials) may grow, and what only decides how new trials are drawn may change; nothing else."""
    return {
        **experiment.identity,
        "epochs": limits.epochs,
        "seeds": limits.seeds,
        "validation_fraction": experiment.settings.config.training.validation_fraction,
        "space": experiment.settings.space.model_dump(mode="json")["parameters"],
    }


def _one(
    study: optuna.Study,
    trial: Trial,
    experiment: Experiment,
    limits: StageASettings | StageBSettings,
    values: Callable[[list[SeedResult]], float | list[float]],
    on_epoch: Callable[[Trial], OnEpoch] | None,
) -> None:
    """Train a trial's seeds in order and tell the study how it ended."""
    params = suggest(trial, experiment.settings.space)
    seeds: list[SeedResult] = []
    try:
        for seed in range(limits.seeds):
            watch = on_epoch(trial) if on_epoch is not None and seed == 0 else None
            run = experiment.run(params, experiment.development_split(seed), epochs=limits.epochs, on_epoch=watch)
            seeds.append(_seed_result(seed, run.key, run))
    except PrunedError as pruned:
        seeds.append(_seed_result(0, "", pruned.outcome))
        _tell(study, trial, seeds, TrialState.PRUNED, None)
    except TrainingFailure as failure:
        trial.set_user_attr("reason", str(failure))
        _tell(study, trial, seeds, TrialState.FAIL, None)
    else:
        _tell(study, trial, seeds, TrialState.COMPLETE, values(seeds))


def _tell(
    study: optuna.Study, trial: Trial, seeds: list[SeedResult], state: TrialState, values: float | list[float] | None
) -> None:
    trial.set_user_attr("seeds", [seed.model_dump() for seed in seeds])
    study.tell(trial, values, state=state)


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
