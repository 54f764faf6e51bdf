"""The documents of Stages A and B, and the candidates for Stage C."""

from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from lib.errors import UserError
from lib.pydantic_base import FrozenSchema
from lib.schemas.document import Document
from lib.schemas.run import SeedResult
from lib.settings.space import Space


class TrialResult(FrozenSchema):
    """A trial of Stage A or B.

    Attributes:
        number: Its number in the study.
        state: Optuna's name of its state, e.g. COMPLETE.
        params: Hyper-parameters, named as in the search space.
        objective: Mean over its seeds by `policy`; None if the trial failed.
        calibration_error: Likewise.
        policy: The null policy that is best over its seeds.
        seeds: The result of each seed.
        rank: Non-dominated rank in Stage B, 0 for the Pareto front; None in Stage A.
        reason: Why it failed, if known.
    """

    number: int
    state: str
    params: dict[str, Any]
    objective: float | None
    calibration_error: float | None
    policy: str | None
    seeds: list[SeedResult]
    rank: int | None = None
    reason: str | None = None


class TrialCounts(FrozenSchema):
    """Number of trials of a study by the way they ended."""

    complete: int
    pruned: int
    failed: int


class MethodEffect(FrozenSchema):
    """The correlation of an augmentation method's use with the objective, over trials with a complete first seed.

    Attributes:
        method: Name of the method.
        trials: Number of such trials.
        exposed: How many of these could apply the method.
        rho: Spearman's correlation of the method's exposure with the first seed's objective; None if it is undefined.
        low: Lower end of its 95 % interval.
        high: Upper end of its 95 % interval.
    """

    method: str
    trials: int
    exposed: int
    rho: float | None
    low: float | None
    high: float | None


class StageAResult(Document):
    """stage_a_top50.json, the best configurations, best first, and the effects of augmentation if there was any.

    Attributes:
        objective: The score that ranks and its population, in words.
        calibration: The calibration error and its population, in words.
    """

    KIND: ClassVar[str] = "stage_a_top50"
    VERSION: ClassVar[int] = 3
    FILE: ClassVar[str] = "stage_a_top50.json"

    agent: str
    objective: str
    calibration: str
    space: Space
    counts: TrialCounts
    trials: list[TrialResult]
    augmentation: list[MethodEffect] | None = None


class StageBResult(Document):
    """stage_b_pareto.json, all completed trials by non-dominated rank; rank 0 is the Pareto front.

    Attributes:
        objective: The score that ranks and its population, in words.
        calibration: The calibration error and its population, in words.
    """

    KIND: ClassVar[str] = "stage_b_pareto"
    VERSION: ClassVar[int] = 3
    FILE: ClassVar[str] = "stage_b_pareto.json"

    agent: str
    objective: str
    calibration: str
    space: Space
    counts: TrialCounts
    trials: list[TrialResult]


class WorkerReport(Document):
    """stage_a/worker-{n}.json and stage_b/worker-{n}.json, the trials that the processes of a job ran."""

    KIND: ClassVar[str] = "served"  # files of earlier versions have this kind

    agent: str
    stage: str
    trials: list[int]
    performance: dict[str, float]

    def merged_with(self, other: Self) -> Self:
        """Return the report of two processes of a job together; their busy seconds are summed."""
        busy = self.performance["busy_seconds"] + other.performance["busy_seconds"]
        return self.model_copy(
            update={
                "trials": sorted([*self.trials, *other.trials]),
                "performance": {**self.performance, "busy_seconds": round(busy, 1)},
            }
        )


class Candidate(FrozenSchema):
    """A configuration for Stage C to cross-validate.

    Attributes:
        number: Its number among the candidates, from 0.
        trial: Number of its trial in Stage B.
        rank: Non-dominated rank of the trial.
        params: Hyper-parameters, named as in the search space, and the null policy.
        epochs: After how many epochs its trainings end, from the best epochs of the trial's seeds.
        objective: Mean objective over the trial's seeds.
        calibration_error: Mean calibration error over the trial's seeds.
    """

    number: int
    trial: int
    rank: int
    params: dict[str, Any]
    epochs: int
    objective: float
    calibration_error: float


class Candidates(Document):
    """stage_c/candidates.json, the configurations that Stage C cross-validates.

    Attributes:
        objective: The score that ranks and its population, in words.
        calibration: The calibration error and its population, in words.
    """

    KIND: ClassVar[str] = "stage_c_candidates"
    VERSION: ClassVar[int] = 4
    FILE: ClassVar[str] = "candidates.json"

    agent: str
    objective: str
    calibration: str
    candidates: list[Candidate]


Stage = TypeVar("Stage", StageAResult, StageBResult)


def read_stage(kind: type[Stage], path: Path, space: Space) -> Stage:
    """Read the result of a stage and check its search space.

    Args:
        kind: The document's class.
        path: File to read.
        space: The configured search space.

    Returns:
        The document.

    Raises:
        UserError: The stage searched another space than the configured one; a line names each difference.
    """
    document = kind.read(path)
    if lines := space.differences(document.space):
        raise UserError(
            [f"{path}: was searched in another space: {line}" for line in lines]
            + [f"{path}: run the stage again in the new space, or restore the old one"]
        )
    return document
