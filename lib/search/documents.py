"""The result files of the three stages."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict

from lib.corpus.manifest import Opening
from lib.errors import UserError
from lib.files.documents import Document
from lib.settings.space import Space

# The device in the provenance of a document that only collects others.
NO_TRAINING = "none: no training"


class SeedResult(BaseModel):
    """What one seed of a trial gave."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int
    key: str
    f1_macro: float
    ece: float
    best_epoch: int
    epochs_run: int
    stopped: str


class TrialResult(BaseModel):
    """A trial of Stage A or B. f1_macro and ece are means over its seeds; None where it failed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int
    state: str
    params: dict[str, Any]
    f1_macro: float | None
    ece: float | None
    seeds: list[SeedResult]
    rank: int | None = None
    reason: str | None = None


class Counts(BaseModel):
    """How the trials of a study ended."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    complete: int
    pruned: int
    failed: int


class MethodEffect(BaseModel):
    """How an augmentation method's use goes with the first seed's F1-macro, over trials that trained it to its end.

    exposed: trials that could apply it. rho: Spearman's, with a 95 % interval; None where there is nothing to say.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

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
    counts: Counts
    trials: list[TrialResult]
    augmentation: list[MethodEffect] | None = None


class StageB(Document):
    """stage_b_pareto.json: all completed trials by non-dominated rank; rank 0 is the front."""

    KIND: ClassVar[str] = "stage_b_pareto"

    agent: str
    space: Space
    counts: Counts
    trials: list[TrialResult]


class Served(Document):
    """stage_a/worker-{n}.json, stage_b/worker-{n}.json: the trials that a process did."""

    KIND: ClassVar[str] = "served"

    agent: str
    stage: str
    trials: list[int]
    performance: dict[str, float]

    def with_those_of(self, other: Self) -> Self:
        """Return what two processes of a job did."""
        busy = self.performance["busy_seconds"] + other.performance["busy_seconds"]
        return self.model_copy(
            update={
                "trials": sorted([*self.trials, *other.trials]),
                "performance": {**self.performance, "busy_seconds": round(busy, 1)},
            }
        )


class Candidate(BaseModel):
    """A configuration that is cross-validated."""

    model_config = ConfigDict(extra="forbid", frozen=True)

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


class FoldResult(Document):
    """stage_c/{candidate}-{fold}.json: one model on one held-out fold.

    temperatures: of each task's answers, fitted on the part that chose the best epoch.
    """

    KIND: ClassVar[str] = "stage_c_fold"
    VERSION: ClassVar[int] = 2

    agent: str
    candidate: int
    fold: int
    split: str
    params: dict[str, Any]
    sizes: dict[str, int]
    best_epoch: int
    scores: dict[str, Any]
    examples: list[str]
    answers: dict[str, Any]
    temperatures: dict[str, float]
    performance: dict[str, Any]


class BaselineFold(BaseModel):
    """The baseline on one held-out fold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fold: int
    split: str
    scores: dict[str, Any]


class Baseline(Document):
    """stage_c/baseline.json: TF-IDF and logistic regression on the same folds."""

    KIND: ClassVar[str] = "stage_c_baseline"

    agent: str
    name: str
    folds: list[BaselineFold]
    performance: dict[str, Any]


class Yardstick(BaseModel):
    """A baseline on the development splits: means over the seeds, and each seed's scores."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    f1_macro: float
    ece: float
    seeds: list[dict[str, Any]]


class Yardsticks(Document):
    """baseline.json: the majority, TF-IDF + logistic regression, and the default transformer (params, epochs)."""

    KIND: ClassVar[str] = "baseline"

    agent: str
    params: dict[str, Any]
    epochs: int
    entries: list[Yardstick]
    performance: dict[str, float]


class Tested(BaseModel):
    """A model on the test set. f1_macro, ece: {value, low, high}, 95 % by post."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    f1_macro: dict[str, float]
    ece: dict[str, float]
    scores: dict[str, Any]
    answers: dict[str, Any]


class Versus(BaseModel):
    """The chosen model against another on the same posts: differences (chosen less other) with intervals and p.

    gain_percent: of F1-macro, relative. per_criterion: as f1_macro, and p_holm, p for being one of so many criteria.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    other: str
    f1_macro: dict[str, float]
    ece: dict[str, float]
    gain_percent: float | None
    per_criterion: dict[str, dict[str, float]]


class Judgement(Document):
    """test.json: the chosen model, the average of the best and the baselines on the test set, opened for this.

    openings: every time the test set was opened in this results folder. targets: name to met or not.
    """

    KIND: ClassVar[str] = "test"
    VERSION: ClassVar[int] = 2

    agent: str
    chosen: dict[str, Any]
    sizes: dict[str, int]
    examples: list[str]
    truth: list[bool]
    criteria: list[str]
    models: list[Tested]
    against: list[Versus]
    targets: dict[str, bool]
    openings: list[Opening]
    performance: dict[str, Any]

    def strongest(self) -> tuple[Tested, Versus]:
        """Return the baseline with the most F1-macro, and the chosen model against it."""
        best = max(self.models[2:], key=lambda model: model.f1_macro["value"])
        return best, next(versus for versus in self.against if versus.other == best.name)


def interval(score: Mapping[str, float]) -> str:
    """Return a score of the test set with its 95 % interval, to be read."""
    return f"{score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}]"


class StageC(Document):
    """stage_c.json: ranking, standard errors, significance, the choice."""

    KIND: ClassVar[str] = "stage_c"

    agent: str
    folds: int
    repeats: int
    ranking: list[dict[str, Any]]
    choice: dict[str, Any]
    ensemble: dict[str, Any]
    baseline: dict[str, Any]
    performance: dict[str, Any]


Searched = TypeVar("Searched", StageA, StageB)


def read_searched(kind: type[Searched], path: Path, space: Space) -> Searched:
    """Read a stage's result. Raises UserError if it was searched in another space than the configured one."""
    document = kind.read(path)
    if lines := space.differences(document.space):
        raise UserError(
            [f"{path}: was searched in another space: {line}" for line in lines]
            + [f"{path}: run the stage again in the new space, or restore the old one"]
        )
    return document
