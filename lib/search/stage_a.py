"""The result of Stage A: the best configurations of its study."""

from collections.abc import Sequence

from optuna.trial import FrozenTrial

from lib.errors import UserError
from lib.files.documents import now
from lib.search.documents import MethodEffect, StageA, TrialResult
from lib.search.results import Search, counts, reasons, trial_result

KEPT = 50


def stage_a(search: Search, ended: Sequence[FrozenTrial]) -> StageA:
    """Keep the fifty best configurations. ended: the trials of the finished study."""
    started = now()
    results = [trial_result(trial) for trial in ended]
    ranked = rank(results)
    if not ranked:
        raise UserError(f"stage A of {search.agent}: no trial gave a result ({reasons(ended)})")
    augments = search.settings.space.augments
    return StageA(
        provenance=search.provenance(started),
        agent=search.agent,
        space=search.settings.space,
        counts=counts(ended),
        trials=ranked[:KEPT],
        augmentation=_effects(results, search.settings.config.seed) if augments else None,
    )


def _effects(results: list[TrialResult], seed: int) -> list[MethodEffect]:
    from lib.search.effects import method_effects  # SciPy's statistics take a second to import

    return method_effects(results, seed)


def rank(results: list[TrialResult]) -> list[TrialResult]:
    """Order trials: completed before pruned, more seeds and epochs before fewer, then by F1-macro.

    A pruned trial's F1 is of fewer epochs and one seed: it is comparable only to trials that got as far.
    """

    def fidelity(result: TrialResult) -> tuple[bool, int]:
        complete = result.state == "COMPLETE"
        return complete, 0 if complete else sum(seed.epochs_run for seed in result.seeds)

    scored = [result for result in results if result.state in {"COMPLETE", "PRUNED"}]
    return sorted(scored, key=lambda r: (*fidelity(r), r.f1_macro or 0.0, -r.number), reverse=True)
