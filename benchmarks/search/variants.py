"""Define the variants of Stages A and B that the benchmark of searches compares."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.pruners import NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState
from scipy import stats
from search.table import AGENT, TabularBenchmark, mean_scores

from lib.files.hashing import derive_seed
from lib.schemas.run import SeedResult
from lib.schemas.search import StageAResult
from lib.search.strategies import SearchStrategy, losses, stage_a_strategy, stage_b_strategy, with_warm_start
from lib.settings.hyperparameters import NULL_POLICY, NullPolicy
from lib.settings.load import Settings, read_settings
from lib.settings.space import Choices, Space
from lib.studies.optuna_internals import ENQUEUED_PARAMS
from lib.studies.pruners import AshaPruner, is_dominated, min_trials_at_rung, noise_of_lead, rung_steps
from lib.studies.samplers import StaticSpaceNSGAIISampler

# (a), (b) and (c) search the null policy, as most scripts do.
STAGE_A_VARIANTS = {
    "a": "(a) TPE, no pruning, all seeds",
    "b": "(b) random search, all seeds",
    "c": "(c) TPE + ASHA on epochs, all seeds",
    "stage A": "Stage A",
    "policy: searched": "  the null policy is searched",
    "recipes: none": "  without recipes",
    "gp": "  a Gaussian process, not TPE",
    "seeds: all": "  no rungs for seeds",
    "seeds: racing": "  racing over seeds in place of rungs",
    "seeds: Wilcoxon": "  Wilcoxon over seeds in place of rungs",
    "rungs: against all": "  rungs compare with all trials (plain ASHA)",
    "start: 10": "  10 start-up trials, not 20",
    "start: random": "  random start-up trials",
    "start: the best": "  warm start, five of the best",
    "start: the worst": "  warm start, five of the worst",
    "rungs: 1 in 3": "  one in three continues",
    "rungs: from a third": "  first rung at a third of the epochs",
    "rungs: from a sixth": "  first rung at a sixth of them",
    "rungs: knowing": "  rungs that know each trial's end (a bound)",
}
STAGE_B_VARIANTS = {
    "before": "as before (NSGA-II without children of Stage A's best, the null policy is searched)",
    "nsga2": "NSGA-II",
    "nsga2 racing": "NSGA-II, racing",
    "tpe": "multi-objective TPE",
    "tpe racing": "multi-objective TPE, racing",
    "tpe knowing": "multi-objective TPE, racing that knows each trial's end (a bound)",
}


def repetition_settings(repetition: int, **stage_a: Any) -> Settings:
    """Return the settings of a repetition.

    Args:
        repetition: Serves as the seed.
        **stage_a: Settings of Stage A that differ from the saved ones.

    Returns:
        The settings.
    """
    settings = read_settings("results/settings.json")
    limits = settings.config.stage_a.model_copy(update=stage_a)
    return settings.model_copy(
        update={"config": settings.config.model_copy(update={"seed": repetition, "stage_a": limits})}
    )


def _never(*_: Any) -> bool:
    return False


def _report_epoch(trial: Trial, epoch: int, best: float) -> bool:
    trial.report(best, epoch)
    return trial.should_prune()


def _with_policies(space: Space) -> Space:
    """Return a space in which the null policy is a hyper-parameter."""
    policies = Choices(type="categorical", choices=get_args(NullPolicy))
    return Space(parameters={**space.parameters, NULL_POLICY: policies})


def all_seeds_strategy(
    repetition: int, sampler: Callable[[int], BaseSampler], *, asha: bool = False
) -> SearchStrategy:
    """Return a search as most scripts do it, in which a trial trains all seeds.

    Args:
        repetition: Determines settings and seeds.
        sampler: Returns a sampler for a seed.
        asha: Whether ASHA may stop a trial in the epochs of its first seed.

    Returns:
        The strategy.
    """
    pruner = SuccessiveHalvingPruner(min_resource=2, reduction_factor=3) if asha else NopPruner()
    ours = stage_a_strategy(repetition_settings(repetition), AGENT)
    return replace(
        ours,
        space=_with_policies(ours.space),
        pruner=pruner,
        after_epoch=_report_epoch if asha else None,
        after_seed=_never,
        enqueued=(),
        sampler=lambda number: sampler(1000 * repetition + number),
    )


def tpe(seed: int) -> BaseSampler:
    """Return Optuna's default sampler."""
    return TPESampler(seed=seed)


def race_over_seeds(trial: Trial, seeds: list[SeedResult]) -> bool:
    """Stop a trial that a completed trial beats by more than its noise, as Stage B does.

    Args:
        trial: The running trial.
        seeds: The results of its seeds so far.

    Returns:
        Whether to stop the trial.
    """
    done = trial.study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    finished = [[[-s["objective"]] for s in t.user_attrs["seeds"]] for t in done]
    return bool(done) and is_dominated(np.array([[-s.objective] for s in seeds]), np.array(finished))


def wilcoxon_over_seeds(trial: Trial, seeds: list[SeedResult]) -> bool:
    """Stop a trial by a one-sided Wilcoxon test against the best trial, with p of at most 0.25.

    The p of k pairs is at least 2^-k, so with two seeds the best trial must be better in both.

    Args:
        trial: The running trial.
        seeds: The results of its seeds so far.

    Returns:
        Whether to stop the trial.
    """
    done = trial.study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    if not done or len(seeds) < 2:
        return False
    best = max(done, key=lambda t: t.values[0]).user_attrs["seeds"]
    lead = [s["objective"] - own.objective for s, own in zip(best, seeds, strict=False)]
    return bool(stats.wilcoxon(lead, alternative="greater").pvalue <= 0.25)


def warm_started_strategy(repetition: int, table: TabularBenchmark, *, good: bool) -> SearchStrategy:
    """Return Stage A with a warm start, as from the study of another agent.

    Args:
        repetition: Determines the settings.
        table: The trainings.
        good: Whether the first trials are the five best points of the table, by development F1, or the five worst to
            see the harm.

    Returns:
        The strategy.
    """
    settings = repetition_settings(repetition)
    strategy = stage_a_strategy(settings, AGENT)
    points = [dict(zip(table.landscape.grid, point, strict=True)) for point in table.trainings]

    order = sorted(points, key=lambda point: mean_scores(table, point, "scores")[0], reverse=True)
    chosen = order[:5] if good else order[-5:]
    base = strategy.enqueued[-1]
    first = [{**base, **point} for point in chosen]
    return replace(
        strategy,
        enqueued=with_warm_start(strategy.enqueued, first, min_trials_at_rung(settings.config.stage_a.reduction)),
    )


def plain_asha_strategy(repetition: int) -> SearchStrategy:
    """Return Stage A with rungs that compare a trial with all earlier trials that reached the rung."""
    settings = repetition_settings(repetition)
    limits, epochs = settings.config.stage_a, settings.config.training.epochs
    steps = rung_steps(limits.first_rung(epochs), epochs, limits.seeds, limits.reduction)
    return replace(stage_a_strategy(settings, AGENT), pruner=AshaPruner(steps, limits.reduction, recent=10**6))


def oracle_strategy(repetition: int, table: TabularBenchmark) -> SearchStrategy:
    """Return Stage A with rungs that know the final score of each trial, as an upper bound for pruning.

    Args:
        repetition: Determines the settings.
        table: The trainings.

    Returns:
        The strategy.
    """

    def report_final_score(trial: Trial, step: int) -> bool:
        trial.report(mean_scores(table, trial.params, "scores")[0], step)
        return trial.should_prune()

    strategy = stage_a_strategy(repetition_settings(repetition), AGENT)
    epochs = strategy.epochs
    return replace(
        strategy,
        after_epoch=lambda trial, epoch, best: epoch < epochs and report_final_score(trial, epoch),
        after_seed=lambda trial, seeds: report_final_score(trial, epochs + len(seeds) - 1),
    )


def policy_searching_strategy(repetition: int) -> SearchStrategy:
    """Return Stage A with the null policy as a hyper-parameter."""
    settings = repetition_settings(repetition)
    return stage_a_strategy(settings.model_copy(update={"space": _with_policies(settings.space)}), AGENT)


class ChildlessNSGAIISampler(StaticSpaceNSGAIISampler):
    """NSGA-II for which trials with given parameters belong to no generation, as Optuna 5 has it by default."""

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Suggest nothing for a trial with given parameters.

        Args:
            study: The study.
            trial: The trial that gets the parameters.
            search_space: The distributions of the parameters.

        Returns:
            The values by parameter name.
        """
        if ENQUEUED_PARAMS in trial.system_attrs:
            return {}
        return super().sample_relative(study, trial, search_space)


def stage_b_variant(name: str, repetition: int, first: StageAResult, table: TabularBenchmark) -> SearchStrategy:
    """Return a variant of Stage B.

    Args:
        name: A key of `STAGE_B_VARIANTS`.
        repetition: Determines the settings.
        first: The result of Stage A, from which it starts.
        table: The trainings.

    Returns:
        The strategy.
    """
    settings, before = repetition_settings(repetition), name == "before"
    update: dict[str, Any] = {
        "sampler": "tpe" if name.startswith("tpe") else "nsga2",
        "racing": before or "racing" in name,
    }
    limits = settings.config.stage_b.model_copy(update=update)
    settings = settings.model_copy(update={"config": settings.config.model_copy(update={"stage_b": limits})})
    if not before:
        ours = stage_b_strategy(settings, AGENT, first)
        return replace(ours, after_seed=_ends_dominated(table)) if name == "tpe knowing" else ours
    space = _with_policies(settings.space)
    ours = stage_b_strategy(settings.model_copy(update={"space": space}), AGENT, first)
    size = limits.population_size

    def sampler(number: int) -> BaseSampler:
        seed = derive_seed(repetition, "before", number)
        return ChildlessNSGAIISampler(ours.space, seed=seed, population_size=size)

    policies = {trial.number: {**trial.params, NULL_POLICY: trial.policy} for trial in first.trials}
    enqueued = [policies[trial.number] for trial in first.trials[: limits.warm_start]]
    return replace(ours, sampler=sampler, after_seed=_led_by_completed, enqueued=enqueued)


def _ends_dominated(table: TabularBenchmark) -> Callable[[Trial, list[SeedResult]], bool]:
    """Return a rule that stops a trial after its first seed if a completed trial will dominate it."""

    def rule(trial: Trial, _: list[SeedResult]) -> bool:
        f1, error = mean_scores(table, trial.params, "scores")
        completed = trial.study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
        return any(t.values[0] > f1 and t.values[1] < error for t in completed)

    return rule


def _led_by_completed(trial: Trial, seeds: list[SeedResult]) -> bool:
    """Return whether any completed trial leads in both objectives by 1.645 standard deviations of the noise."""
    done = trial.study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    if len(done) < 2:
        return False
    finished = np.array([losses([SeedResult(**seed) for seed in t.user_attrs["seeds"]]) for t in done])
    lead = np.mean(losses(seeds), axis=0) - finished[:, : len(seeds)].mean(1)
    return bool((lead > 1.645 * noise_of_lead(finished, len(seeds))).all(1).any())


def stage_a_variant(name: str, repetition: int, table: TabularBenchmark) -> SearchStrategy:
    """Return a variant of Stage A.

    Args:
        name: A key of `STAGE_A_VARIANTS`.
        repetition: Determines the settings.
        table: The trainings.

    Returns:
        The strategy.
    """
    ours = stage_a_strategy(repetition_settings(repetition), AGENT)
    epochs = ours.epochs
    variants: dict[str, Callable[[], SearchStrategy]] = {
        "a": lambda: all_seeds_strategy(repetition, tpe),
        "b": lambda: all_seeds_strategy(repetition, lambda seed: RandomSampler(seed=seed)),
        "c": lambda: all_seeds_strategy(repetition, tpe, asha=True),
        "stage A": lambda: ours,
        "policy: searched": lambda: policy_searching_strategy(repetition),
        "recipes: none": lambda: stage_a_strategy(
            repetition_settings(repetition).model_copy(update={"recipes": {}}), AGENT
        ),
        "gp": lambda: stage_a_strategy(repetition_settings(repetition, sampler="gp"), AGENT),
        "seeds: all": lambda: replace(ours, after_seed=_never),
        "seeds: racing": lambda: replace(ours, after_seed=race_over_seeds),
        "seeds: Wilcoxon": lambda: replace(ours, after_seed=wilcoxon_over_seeds),
        "rungs: against all": lambda: plain_asha_strategy(repetition),
        "start: 10": lambda: stage_a_strategy(repetition_settings(repetition, startup_trials=10), AGENT),
        "start: random": lambda: replace(ours, enqueued=()),
        "start: the best": lambda: warm_started_strategy(repetition, table, good=True),
        "start: the worst": lambda: warm_started_strategy(repetition, table, good=False),
        "rungs: 1 in 3": lambda: stage_a_strategy(repetition_settings(repetition, reduction=3), AGENT),
        "rungs: from a third": lambda: stage_a_strategy(
            repetition_settings(repetition, min_epochs=epochs // 3), AGENT
        ),
        "rungs: from a sixth": lambda: stage_a_strategy(
            repetition_settings(repetition, min_epochs=epochs // 6), AGENT
        ),
        "rungs: knowing": lambda: oracle_strategy(repetition, table),
    }
    return variants[name]()
