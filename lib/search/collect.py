"""Collect the results of Stages A and B from their finished studies."""

from collections.abc import Sequence

from optuna.trial import FrozenTrial

from lib.errors import UserError
from lib.metrics.pareto import non_dominated_ranks
from lib.schemas.document import now
from lib.schemas.search import MethodEffect, StageAResult, StageBResult, TrialResult
from lib.search.study_results import AgentSearch, count_states, failure_reasons, trial_result

TOP_TRIALS = 50


def collect_stage_a(search: AgentSearch, trials: Sequence[FrozenTrial]) -> StageAResult:
    """Return the result of Stage A with its best configurations (at most `TOP_TRIALS`).

    Args:
        search: The agent's search.
        trials: All ended trials of the finished study.

    Returns:
        The best configurations, best first, and the effects of augmentation methods if the space augments.

    Raises:
        UserError: No trial gave a result.
    """
    started = now()
    results = [trial_result(trial) for trial in trials]
    ranked = rank_trials(results)
    if not ranked:
        raise UserError(f"stage A of {search.agent}: no trial gave a result ({failure_reasons(trials)})")
    augments = search.settings.space.augments
    return StageAResult(
        provenance=search.provenance(started),
        agent=search.agent,
        objective=search.objective.name,
        calibration=search.objective.full_calibration_name,
        space=search.space,
        counts=count_states(trials),
        trials=ranked[:TOP_TRIALS],
        augmentation=_effects(results, search.settings.config.seed) if augments else None,
    )


def collect_stage_b(search: AgentSearch) -> StageBResult:
    """Return the result of Stage B with all completed trials, ranked by non-domination.

    Raises:
        UserError: The study has not spent its budget, or no trial gave a result.
    """
    started = now()
    trials = search.finished("stage_b")
    complete = [result for trial in trials if (result := trial_result(trial)).state == "COMPLETE"]
    if not complete:
        raise UserError(f"stage B of {search.agent}: no trial gave a result ({failure_reasons(trials)})")
    ranks = non_dominated_ranks([(r.objective or 0.0, r.calibration_error or 0.0) for r in complete])
    ranked = [r.model_copy(update={"rank": rank}) for r, rank in zip(complete, ranks, strict=True)]
    return StageBResult(
        provenance=search.provenance(started),
        agent=search.agent,
        objective=search.objective.name,
        calibration=search.objective.full_calibration_name,
        space=search.space,
        counts=count_states(trials),
        trials=sorted(ranked, key=lambda r: (r.rank, -(r.objective or 0.0), r.number)),
    )


def rank_trials(results: Sequence[TrialResult]) -> list[TrialResult]:
    """Return the completed and pruned trials, best first.

    Completed trials come before pruned ones, pruned trials with more epochs before those with fewer, and then the
    objective decides. The objective of a pruned trial comes from less training, so it can only be compared with
    trials that got equally far.
    """

    def fidelity(result: TrialResult) -> tuple[bool, int]:
        complete = result.state == "COMPLETE"
        return complete, 0 if complete else sum(seed.epochs_run for seed in result.seeds)

    scored = [result for result in results if result.state in {"COMPLETE", "PRUNED"}]
    return sorted(scored, key=lambda r: (*fidelity(r), r.objective or 0.0, -r.number), reverse=True)


def _effects(results: Sequence[TrialResult], seed: int) -> list[MethodEffect]:
    from lib.search.effects import method_effects  # SciPy's statistics take a second to import

    return method_effects(results, seed)
