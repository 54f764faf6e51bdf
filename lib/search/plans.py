"""How Stages A and B search.

Stage A: multivariate TPE with ASHA; seeds are a second fidelity. Stage B: NSGA-II, F1-macro against ECE, seeded with
the best of Stage A.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optuna.pruners import BasePruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, NSGAIISampler, TPESampler
from optuna.trial import Trial

from lib.files.hashing import derive_seed
from lib.search.documents import SeedResult, StageA
from lib.search.study import Direction
from lib.settings.config import Config, StageASettings, StageBSettings

if TYPE_CHECKING:  # torch takes seconds, and collecting results does without
    from lib.training.engine import OnEpoch


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
    on_epoch: "Callable[[Trial], OnEpoch] | None" = None
    fixed: Sequence[dict[str, Any]] = ()


def plan_a(config: Config, agent: str) -> Plan:
    """Return how Stage A searches."""
    limits = config.stage_a

    def sampler(number: int) -> BaseSampler:
        seed = derive_seed(config.seed, agent, "stage a", number)
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


def plan_b(config: Config, agent: str, best: StageA) -> Plan:
    """Return how Stage B searches."""
    limits = config.stage_b

    def sampler(number: int) -> BaseSampler:
        seed = derive_seed(config.seed, agent, "stage b", number)
        return NSGAIISampler(seed=seed, population_size=limits.population)

    return Plan(
        stage="stage_b",
        limits=limits,
        directions=["maximize", "minimize"],
        pruner=NopPruner(),
        sampler=sampler,
        values=_f1_and_ece,
        fixed=[trial.params for trial in best.trials[: limits.seeded]],
    )


def _mean_f1(seeds: list[SeedResult]) -> list[float]:
    return [sum(seed.f1_macro for seed in seeds) / len(seeds)]


def _report(trial: Trial) -> "OnEpoch":
    def report(epoch: int, best: float) -> bool:
        trial.report(best, epoch)
        return trial.should_prune()

    return report


def _f1_and_ece(seeds: list[SeedResult]) -> list[float]:
    return [sum(s.f1_macro for s in seeds) / len(seeds), sum(s.ece for s in seeds) / len(seeds)]
