"""What Stage C and the final evaluation leave: folds, baselines, the ranking, the test set, and provenance."""

from collections.abc import Mapping
from typing import Any, ClassVar

from lib.schemas.document import Document
from lib.schemas.run import SeedResult
from lib.validation import FrozenModel


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


class BaselineFold(FrozenModel):
    """The baseline on one held-out fold."""

    fold: int
    split: str
    scores: dict[str, Any]


class CrossValidatedBaseline(Document):
    """stage_c/baseline.json: TF-IDF and logistic regression on the same folds."""

    KIND: ClassVar[str] = "stage_c_baseline"

    agent: str
    name: str
    folds: list[BaselineFold]
    performance: dict[str, Any]


class BaselineScores(FrozenModel):
    """A baseline on the development splits: means over the seeds, and each seed's scores."""

    name: str
    f1_macro: float
    ece: float
    seeds: list[dict[str, Any]]


class Baselines(Document):
    """baseline.json: the majority, TF-IDF + logistic regression, and the default transformer (params, epochs)."""

    KIND: ClassVar[str] = "baseline"

    agent: str
    params: dict[str, Any]
    epochs: int
    entries: list[BaselineScores]
    performance: dict[str, float]


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


class ModelScores(FrozenModel):
    """A model on the test set. f1_macro, ece: {value, low, high}, 95 % by post."""

    name: str
    f1_macro: dict[str, float]
    ece: dict[str, float]
    scores: dict[str, Any]
    answers: dict[str, Any]


class PairedComparison(FrozenModel):
    """The chosen model against another on the same posts: differences (chosen less other) with intervals and p.

    gain_percent: of F1-macro, relative. per_criterion: as f1_macro, and p_holm, p for being one of so many criteria.
    """

    other: str
    f1_macro: dict[str, float]
    ece: dict[str, float]
    gain_percent: float | None
    per_criterion: dict[str, dict[str, float]]


class TestOpening(FrozenModel):
    """A line of test_openings.jsonl: when the test set was opened, by which code, to judge what."""

    when: str
    code_version: str
    config_hash: str
    model: str


class TestEvaluation(Document):
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
    models: list[ModelScores]
    against: list[PairedComparison]
    targets: dict[str, bool]
    openings: list[TestOpening]
    performance: dict[str, Any]

    def strongest(self) -> tuple[ModelScores, PairedComparison]:
        """Return the baseline with the most F1-macro, and the chosen model against it."""
        best = max(self.models[2:], key=lambda model: model.f1_macro["value"])
        return best, next(versus for versus in self.against if versus.other == best.name)


class TrialProvenance(Document):
    """provenance.json. trial: the chosen configuration's in Stage B, with each seed's scores; files: their hashes."""

    KIND: ClassVar[str] = "provenance"

    agent: str
    settings: dict[str, Any]
    backbones: dict[str, str]
    trial: int
    params: dict[str, Any]
    seeds: list[SeedResult]
    files: dict[str, str]


def format_interval(score: Mapping[str, float]) -> str:
    """Return a score of the test set with its 95 % interval, to be read."""
    return f"{score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}]"
