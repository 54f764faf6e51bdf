"""Stage B: NSGA-II, maximise F1-macro and minimise ECE, seeded with the best of Stage A."""

from optuna.pruners import NopPruner
from optuna.samplers import BaseSampler, NSGAIISampler

from lib.errors import UserError
from lib.files.documents import now
from lib.files.hashing import derive_seed
from lib.search.documents import SeedResult, StageA, StageB
from lib.search.experiment import Experiment
from lib.search.selection import non_dominated_ranks
from lib.search.stage import Plan, counts, finished, reasons, trial_result


def plan_b(experiment: Experiment, best: StageA) -> Plan:
    """Return how Stage B searches."""
    limits = experiment.settings.config.stage_b

    def sampler(number: int) -> BaseSampler:
        seed = derive_seed(experiment.settings.config.seed, experiment.agent.name, "stage b", number)
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


def stage_b(experiment: Experiment, best: StageA) -> StageB:
    """Rank all completed trials of the finished study by non-domination."""
    started = now()
    ended = finished(experiment, plan_b(experiment, best))
    complete = [result for trial in ended if (result := trial_result(trial)).state == "COMPLETE"]
    if not complete:
        raise UserError(f"stage B of {experiment.agent.name}: no trial gave a result ({reasons(ended)})")
    ranks = non_dominated_ranks([(r.f1_macro or 0.0, r.ece or 0.0) for r in complete])
    ranked = [r.model_copy(update={"rank": rank}) for r, rank in zip(complete, ranks, strict=True)]
    return StageB(
        provenance=experiment.provenance(started),
        agent=experiment.agent.name,
        space=experiment.settings.space,
        counts=counts(ended),
        trials=sorted(ranked, key=lambda r: (r.rank, -(r.f1_macro or 0.0), r.number)),
    )


def _f1_and_ece(seeds: list[SeedResult]) -> list[float]:
    return [sum(s.f1_macro for s in seeds) / len(seeds), sum(s.ece for s in seeds) / len(seeds)]
