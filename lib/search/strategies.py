"""Define how Stages A and B search.

Stage A maximises the objective with multivariate TPE (or a Gaussian process). ASHA can stop a trial early in its
first seed, and again after each seed. Stage B trades it against the calibration error with multi-objective TPE (or
NSGA-II) and starts from the best of Stage A. It stops a trial as soon as its first seeds show that a completed trial
dominates it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import BaseSampler
from optuna.trial import Trial, TrialState

from lib.agents import agent_space
from lib.files.hashing import derive_seed
from lib.schemas.run import SeedResult, best_policy, mean_over_seeds
from lib.schemas.search import StageAResult
from lib.search.recipes import recipe_trials
from lib.settings.config import StageASettings, StageBSettings
from lib.settings.load import Settings
from lib.settings.space import Space
from lib.studies.pruners import AshaPruner, is_dominated, min_trials_at_rung, rung_steps
from lib.studies.samplers import StaticSpaceGPSampler, StaticSpaceNSGAIISampler, StaticSpaceTPESampler
from lib.studies.sobol import sobol_design
from lib.studies.study import Direction


@dataclass(frozen=True)
class SearchStrategy:
    """How a stage searches.

    Attributes:
        stage: "stage_a" or "stage_b".
        space: The agent's search space.
        limits: Budget and seeds of the stage.
        epochs: The most epochs of a training.
        directions: Whether to minimise or maximise, for each objective.
        pruner: The pruner that `trial.should_prune()` asks.
        sampler: Returns the sampler for a trial number.
        values: Returns the objectives from the results of all seeds.
        after_epoch: Called with (trial, epoch, best objective so far) after each epoch of the first seed; returns
            whether to stop the trial. None if no trial is stopped within a seed.
        after_seed: Called with (trial, results of the seeds so far) after each seed but the last; returns whether to
            stop the trial.
        enqueued: Parameters of the first trials.
    """

    stage: str
    space: Space
    limits: StageASettings | StageBSettings
    epochs: int
    directions: Sequence[Direction]
    pruner: BasePruner
    sampler: Callable[[int], BaseSampler]
    values: Callable[[list[SeedResult]], list[float]]
    after_epoch: Callable[[Trial, int, float], bool] | None
    after_seed: Callable[[Trial, list[SeedResult]], bool]
    enqueued: Sequence[dict[str, Any]] = ()


def stage_a_strategy(settings: Settings, agent: str, earlier: Sequence[StageAResult] = ()) -> SearchStrategy:
    """Return the search strategy of Stage A.

    Args:
        settings: The resolved settings.
        agent: Name of the agent; it is part of all seeds.
        earlier: Results of other agents' Stage A, whose best configurations are among the first trials.

    Returns:
        The strategy, with one objective.
    """
    config, limits, epochs = settings.config, settings.config.stage_a, settings.config.training.epochs
    space = agent_space(settings.space, agent)

    def sampler(number: int) -> BaseSampler:
        seed = derive_seed(config.seed, agent, "stage a", number)
        if limits.sampler == "gp":
            return StaticSpaceGPSampler(space, seed=seed)
        return StaticSpaceTPESampler(space, seed=seed, n_startup_trials=limits.startup_trials)

    def after_epoch(trial: Trial, epoch: int, best: float) -> bool:
        if epoch == epochs:  # after_seed reports the end of the seed
            return False
        trial.report(best, epoch)
        return trial.should_prune()

    def after_seed(trial: Trial, seeds: list[SeedResult]) -> bool:
        trial.report(mean_over_seeds(seeds)[0], epochs + len(seeds) - 1)
        return trial.should_prune()

    design = sobol_design(space, limits.startup_trials, derive_seed(config.seed, agent, "stage a", "design"))
    recipes, first = recipe_trials(settings, space, design), next(iter(settings.recipes), None)
    known = [space.adapted(trial.params) for other in earlier for trial in other.trials[: limits.warm_start]]
    known += [params for name, params in recipes.items() if name != first]
    very_first = [recipes[first]] if first in recipes else []
    return SearchStrategy(
        stage="stage_a",
        space=space,
        limits=limits,
        epochs=epochs,
        directions=["maximize"],
        pruner=AshaPruner(
            rung_steps(limits.first_rung(epochs), epochs, limits.seeds, limits.reduction), limits.reduction
        ),
        sampler=sampler,
        values=lambda seeds: mean_over_seeds(seeds)[:1],
        after_epoch=after_epoch,
        after_seed=after_seed,
        enqueued=[*very_first, *with_warm_start(design, known, min_trials_at_rung(limits.reduction))],
    )


def with_warm_start(
    design: Sequence[dict[str, Any]], known: Sequence[dict[str, Any]], first: int
) -> list[dict[str, Any]]:
    """Insert known configurations into the design of the first trials.

    The first few trials pass each rung without comparison. Known configurations come after them, because a bad one
    would otherwise be trained in full.

    Args:
        design: Configurations spread over the space.
        known: The best configurations of other agents, and recipes.
        first: How many configurations of the design come before the known ones.

    Returns:
        The first `first` configurations of the design, the known ones, and the rest of the design.
    """
    return [*design[:first], *known, *design[first:]]


def stage_b_strategy(settings: Settings, agent: str, best: StageAResult) -> SearchStrategy:
    """Return the search strategy of Stage B.

    Args:
        settings: The resolved settings.
        agent: Name of the agent; it is part of all seeds.
        best: The agent's result of Stage A, whose best configurations are the first trials.

    Returns:
        The strategy, with two objectives (the score and the calibration error).
    """
    config, limits, space = settings.config, settings.config.stage_b, agent_space(settings.space, agent)
    # Of a pruned trial some seeds are missing, which would have to be trained.
    known = [trial.params for trial in best.trials if trial.state == "COMPLETE"][: limits.warm_start]

    def sampler(number: int) -> BaseSampler:
        seed = derive_seed(config.seed, agent, "stage b", number)
        if limits.sampler == "tpe":
            # It learns from the best of Stage A at once, and else from a population of random trials.
            return StaticSpaceTPESampler(space, seed=seed, n_startup_trials=len(known) or limits.population_size)
        return StaticSpaceNSGAIISampler(space, seed=seed, population_size=limits.population_size)

    return SearchStrategy(
        stage="stage_b",
        space=space,
        limits=limits,
        epochs=config.training.epochs,
        directions=["maximize", "minimize"],
        pruner=NopPruner(),
        sampler=sampler,
        values=mean_over_seeds,
        after_epoch=None,
        after_seed=_is_dominated if limits.racing else lambda trial, seeds: False,
        enqueued=known,
    )


def _is_dominated(trial: Trial, seeds: list[SeedResult]) -> bool:
    """Return whether a completed trial leads in both objectives by more than the noise of the missing seeds."""
    completed = trial.study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    if not completed:
        return False
    finished = np.array([losses([SeedResult(**seed) for seed in t.user_attrs["seeds"]]) for t in completed])
    return is_dominated(np.array(losses(seeds)), finished)


def losses(seeds: list[SeedResult]) -> list[tuple[float, float]]:
    """Return what Stage B minimises, for each seed, by the null policy that is best over the seeds."""
    policy = best_policy(seeds)
    own = [seed.by_policy[policy] for seed in seeds]
    return [(-each["objective"], each["calibration_error"]) for each in own]
