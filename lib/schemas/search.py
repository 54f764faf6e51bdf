"""What Stages A and B leave: trials, their rankings, the workers' reports, and the candidates for Stage C."""

from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from lib.errors import UserError
from lib.schemas.document import Document
from lib.schemas.run import SeedResult
from lib.settings.space import Space
from lib.validation import FrozenModel


class TrialResult(FrozenModel):
    """A trial of Stage A or B. f1_macro and ece are means over its seeds; None where it failed."""

    number: int
    state: str
    params: dict[str, Any]
    f1_macro: float | None
    ece: float | None
    seeds: list[SeedResult]
    rank: int | None = None
    reason: str | None = None


class TrialCounts(FrozenModel):
    """How the trials of a study ended."""

    complete: int
    pruned: int
    failed: int


class MethodEffect(FrozenModel):
    """How an augmentation method's use goes with the first seed's F1-macro, over trials that trained it to its end.

    exposed: trials that could apply it. rho: Spearman's, with a 95 % interval; None where there is nothing to say.
    """

    method: str
    trials: int
    exposed: int
    rho: float | None
    low: float | None
    high: float | None


class StageA(Document):
    """stage_a_top50.json: the best configurations, best first; effects of augmentation, where there was any."""

    KIND: ClassVar[str] = "stage_a_top50"

    agent: str
    space: Space
    counts: TrialCounts
    trials: list[TrialResult]
    augmentation: list[MethodEffect] | None = None


class StageB(Document):
    """stage_b_pareto.json: all completed trials by non-dominated rank; rank 0 is the front."""

    KIND: ClassVar[str] = "stage_b_pareto"

    agent: str
    space: Space
    counts: TrialCounts
    trials: list[TrialResult]


class WorkerReport(Document):
    """stage_a/worker-{n}.json, stage_b/worker-{n}.json: the trials that a process did."""

    KIND: ClassVar[str] = "served"

    agent: str
    stage: str
    trials: list[int]
    performance: dict[str, float]

    def merged_with(self, other: Self) -> Self:
        """Return what two processes of a job did."""
        busy = self.performance["busy_seconds"] + other.performance["busy_seconds"]
        return self.model_copy(
            update={
                "trials": sorted([*self.trials, *other.trials]),
                "performance": {**self.performance, "busy_seconds": round(busy, 1)},
            }
        )


class Candidate(FrozenModel):
    """A configuration that is cross-validated."""

    number: int
    trial: int
    rank: int
    params: dict[str, Any]
    f1_macro: float
    ece: float


class Candidates(Document):
    """stage_c/candidates.json: what Stage C cross-validates."""

    KIND: ClassVar[str] = "stage_c_candidates"

    agent: str
    candidates: list[Candidate]


Stage = TypeVar("Stage", StageA, StageB)


def read_stage(kind: type[Stage], path: Path, space: Space) -> Stage:
    """Read a stage's result. Raises UserError if it was searched in another space than the configured one."""
    document = kind.read(path)
    if lines := space.differences(document.space):
        raise UserError(
            [f"{path}: was searched in another space: {line}" for line in lines]
            + [f"{path}: run the stage again in the new space, or restore the old one"]
        )
    return document
