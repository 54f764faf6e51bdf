"""How Stages A and B search.

Stage A: multivariate TPE (or a Gaussian process) with ASHA over epochs and seeds. Stage B: NSGA-II (or
multi-objective TPE), F1-macro against ECE, seeded with the best of Stage A; a trial that its first seeds show to be
dominated is not trained on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import BaseSampler
from optuna.trial import Trial, TrialState

from lib.files.hashing import derive_seed
from lib.schemas.run import SeedResult
from lib.schemas.search import StageA
from lib.settings.config import StageASettings, StageBSettings
from lib.settings.load import Settings
from lib.studies.pruners import AshaPruner, is_dominated, min_trials_at_rung, rung_steps
from lib.studies.samplers import GpSampler, NsgaIISampler, TpeSampler
from lib.studies.sobol import sobol_design
from lib.studies.study import Direction


@dataclass(frozen=True)
class SearchStrategy:
    """How a stage searches.

    values: the objective(s) from the seeds' results. after_epoch: told (trial, epoch, best F1 so far) of the first
    seed; after_seed: told the seeds so far, where more are to come; either returns whether to give the trial up.
    fixed: parameters of the first trials.
    """

    stage: str
    limits: StageASettings | StageBSettings
    directions: Sequence[Direction]
    pruner: BasePruner
    sampler: Callable[[int], BaseSampler]
    values: Callable[[list[SeedResult]], list[float]]
    after_epoch: Callable[[Trial, int, float], bool] | None
    after_seed: Callable[[Trial, list[SeedResult]], bool]
    fixed: Sequence[dict[str, Any]] = ()


def stage_a_strategy(settings: Settings, agent: str, earlier: Sequence[StageA] = ()) -> SearchStrategy:
    """Return how Stage A searches. earlier: of other agents, whose best configurations are among the first trials."""
    config, limits = settings.config, settings.config.stage_a

    def sampler(number: int) -> BaseSampler:
        seed = derive_seed(config.seed, agent, "stage a", number)
        if limits.sampler == "gp":
            return GpSampler(settings.space, seed=seed)
        return TpeSampler(settings.space, seed=seed, startup=limits.startup_trials)

    def after_epoch(trial: Trial, epoch: int, best: float) -> bool:
        if epoch == limits.epochs:  # the seed's end is told by itself
            return False
        trial.report(best, epoch)
        return trial.should_prune()

    def after_seed(trial: Trial, seeds: list[SeedResult]) -> bool:
        trial.report(_means(seeds)[0], limits.epochs + len(seeds) - 1)
        return trial.should_prune()

    known = [trial.params for other in earlier for trial in other.trials[: limits.warm_start]]
    design = sobol_design(settings.space, limits.startup_trials, derive_seed(config.seed, agent, "stage a", "design"))
    return SearchStrategy(
        stage="stage_a",
        limits=limits,
        directions=["maximize"],
        pruner=AshaPruner(
            rung_steps(limits.first_rung, limits.epochs, limits.seeds, limits.reduction), limits.reduction
        ),
        sampler=sampler,
        values=lambda seeds: _means(seeds)[:1],
        after_epoch=after_epoch,
        after_seed=after_seed,
        fixed=with_warm_start(design, known, min_trials_at_rung(limits.reduction)),
    )


def with_warm_start(
    design: Sequence[dict[str, Any]], known: Sequence[dict[str, Any]], first: int
) -> list[dict[str, Any]]:
    """Return the first trials: the first of the design, what is known from elsewhere, the rest of the design.

    The first to reach a rung go on whatever they are: what is known must not be among them, or bad
    ones would do harm.
    """
    return [*design[:first], *known, *design[first:]]


def stage_b_strategy(settings: Settings, agent: str, best: StageA) -> SearchStrategy:
    """Return how Stage B searches."""
    config, limits = settings.config, settings.config.stage_b

    def sampler(number: int) -> BaseSampler:
        seed = derive_seed(config.seed, agent, "stage b", number)
        if limits.sampler == "tpe":
            return TpeSampler(settings.space, seed=seed, startup=limits.population)
        return NsgaIISampler(settings.space, seed=seed, population=limits.population)

    return SearchStrategy(
        stage="stage_b",
        limits=limits,
        directions=["maximize", "minimize"],
        pruner=NopPruner(),
        sampler=sampler,
        values=_means,
        after_epoch=None,
        after_seed=_is_dominated if limits.racing else lambda trial, seeds: False,
        fixed=[trial.params for trial in best.trials[: limits.seeded]],
    )


def _means(seeds: list[SeedResult]) -> list[float]:
    return [sum(s.f1_macro for s in seeds) / len(seeds), sum(s.ece for s in seeds) / len(seeds)]


def _is_dominated(trial: Trial, seeds: list[SeedResult]) -> bool:
    """Return whether a completed trial dominates this one, whatever the seeds to come."""
    completed = trial.study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    if not completed:
        return False
    finished = np.array([[(-s["f1_macro"], s["ece"]) for s in t.user_attrs["seeds"]] for t in completed])
    return is_dominated(np.array([(-s.f1_macro, s.ece) for s in seeds]), finished)
