"""Stage A: multivariate TPE with ASHA over the whole space; seeds are a second fidelity."""

from optuna.pruners import SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import Trial

from lib.errors import UserError
from lib.files.documents import now
from lib.files.hashing import derive_seed
from lib.search.documents import SeedResult, StageA, TrialResult
from lib.search.effects import method_effects
from lib.search.experiment import Experiment
from lib.search.stage import Plan, counts, finished, reasons, trial_result
from lib.training.engine import OnEpoch

KEPT = 50


def plan_a(experiment: Experiment) -> Plan:
    """Return how Stage A searches."""
    settings = experiment.settings.config
    limits = settings.stage_a

    def sampler(number: int) -> BaseSampler:
        seed = derive_seed(settings.seed, experiment.agent.name, "stage a", number)
        # A trial that runs elsewhere counts as a bad one meanwhile (constant liar), so that two do not try the same.
        return TPESampler(seed=seed, multivariate=True, constant_liar=True, n_startup_trials=limits.startup_trials)

    return Plan(
        stage="stage_a",
        limits=limits,
        directions=["maximize"],
        pruner=SuccessiveHalvingPruner(min_resource=limits.min_epochs, reduction_factor=limits.reduction),
        sampler=sampler,
        values=_mean_f1,
        on_epoch=_report,
    )


def stage_a(experiment: Experiment) -> StageA:
    """Keep the fifty best configurations of the finished study."""
    started = now()
    limits = experiment.settings.config.stage_a
    ended = finished(experiment, plan_a(experiment))
    results = [trial_result(trial) for trial in ended]
    ranked = rank(results)
    if not ranked:
        raise UserError(f"stage A of {experiment.agent.name}: no trial gave a result ({reasons(ended)})")
    return StageA(
        provenance=experiment.provenance(started),
        agent=experiment.agent.name,
        space=experiment.settings.space,
        counts=counts(ended),
        trials=ranked[:KEPT],
        augmentation=method_effects(results, limits.epochs, experiment.settings.config.seed)
        if experiment.settings.space.augments
        else None,
    )


def rank(results: list[TrialResult]) -> list[TrialResult]:
    """Order trials: completed before pruned, more seeds and epochs before fewer, then by F1-macro.

    A pruned trial's F1 is of fewer epochs and one seed: it is comparable only to trials that got as far.
    """

    def fidelity(result: TrialResult) -> tuple[bool, int]:
        complete = result.state == "COMPLETE"
        return complete, 0 if complete else sum(seed.epochs_run for seed in result.seeds)

    scored = [result for result in results if result.state in {"COMPLETE", "PRUNED"}]
    return sorted(scored, key=lambda r: (*fidelity(r), r.f1_macro or 0.0, -r.number), reverse=True)


def _mean_f1(seeds: list[SeedResult]) -> list[float]:
    return [sum(seed.f1_macro for seed in seeds) / len(seeds)]


def _report(trial: Trial) -> OnEpoch:
    def report(epoch: int, best: float) -> bool:
        trial.report(best, epoch)
        return trial.should_prune()

    return report
