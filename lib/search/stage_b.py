"""The result of Stage B: its study's configurations by non-domination."""

from lib.errors import UserError
from lib.files.documents import now
from lib.search.documents import StageB
from lib.search.results import Search, counts, reasons, trial_result
from lib.search.selection import non_dominated_ranks


def stage_b(search: Search) -> StageB:
    """Rank all completed trials of the finished study by non-domination."""
    started = now()
    ended = search.finished("stage_b", search.settings.config.stage_b.trials)
    complete = [result for trial in ended if (result := trial_result(trial)).state == "COMPLETE"]
    if not complete:
        raise UserError(f"stage B of {search.agent}: no trial gave a result ({reasons(ended)})")
    ranks = non_dominated_ranks([(r.f1_macro or 0.0, r.ece or 0.0) for r in complete])
    ranked = [r.model_copy(update={"rank": rank}) for r, rank in zip(complete, ranks, strict=True)]
    return StageB(
        provenance=search.provenance(started),
        agent=search.agent,
        space=search.settings.space,
        counts=counts(ended),
        trials=sorted(ranked, key=lambda r: (r.rank, -(r.f1_macro or 0.0), r.number)),
    )
