"""The documents of Stage C and of the final evaluation."""

from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from lib.files.json_files import read_json
from lib.pydantic_base import FrozenSchema
from lib.schemas.document import Document
from lib.schemas.run import SeedResult

# The names of the baselines in documents.
MAJORITY, BAG_OF_WORDS, DEFAULT = "majority", "TF-IDF + logistic regression", "default transformer"
BASELINES = (MAJORITY, BAG_OF_WORDS, DEFAULT)


class FoldResult(Document):
    """stage_c/{candidate}-{fold}.json, the result of one model on one held-out fold.

    Attributes:
        candidate: Its number in candidates.json.
        fold: Number of the fold over all repeats, from 0.
        split: Name of the split.
        params: Hyper-parameters, named as in the search space.
        sizes: Number of examples by part: train, held_out.
        epochs: Number of epochs that it trained.
        scores: Scores on the held-out fold, by rules fitted on one half of its groups and applied to the other.
        examples: Ids of the held-out examples.
        logits: The logits for `examples`, as `Agent.dump_logits` returns them.
        performance: Figures measured with a clock or a memory counter.
    """

    KIND: ClassVar[str] = "stage_c_fold"
    VERSION: ClassVar[int] = 5

    agent: str
    candidate: int
    fold: int
    split: str
    params: dict[str, Any]
    sizes: dict[str, int]
    epochs: int
    scores: dict[str, Any]
    examples: list[str]
    logits: dict[str, Any]
    performance: dict[str, Any]


class Race(Document):
    """stage_c/race_{repeat}.json, the candidates that are trained in the repeats after this one.

    Attributes:
        repeat: Number of the repeat, from 1.
        candidates: Their numbers.
    """

    KIND: ClassVar[str] = "stage_c_race"

    agent: str
    repeat: int
    candidates: list[int]


class GivenUpFold(Document):
    """stage_c/{candidate}-{fold}.json of a candidate that was given up.

    Attributes:
        reason: Why there is no result: racing, or a training that failed.
    """

    KIND: ClassVar[str] = "stage_c_given_up"
    VERSION: ClassVar[int] = 2

    agent: str
    candidate: int
    fold: int
    reason: str


def read_fold(path: Path) -> FoldResult | None:
    """Return the result of a fold, or None if its candidate was given up.

    Raises:
        UserError: The file is missing or broken.
    """
    body = read_json(path)
    given_up = isinstance(body, dict) and body.get("kind") == GivenUpFold.KIND
    return None if given_up else FoldResult.read(path)


class BaselineFold(FrozenSchema):
    """The scores of the baseline on one held-out fold."""

    fold: int
    split: str
    scores: dict[str, Any]


class CrossValidatedBaseline(Document):
    """stage_c/baseline.json, the scores of TF-IDF + logistic regression on the same folds.

    Attributes:
        objective: The score that ranks and its population, in words.
        calibration: The calibration error and its population, in words.
    """

    KIND: ClassVar[str] = "stage_c_baseline"
    VERSION: ClassVar[int] = 3
    FILE: ClassVar[str] = "baseline.json"

    agent: str
    objective: str
    calibration: str
    name: str
    folds: list[BaselineFold]
    performance: dict[str, Any]


class BaselineScores(FrozenSchema):
    """A baseline's scores on the development splits, as means over the seeds and for each seed."""

    name: str
    objective: float
    calibration_error: float
    seeds: list[dict[str, Any]]


class Baselines(Document):
    """baseline.json, the scores of the majority, of TF-IDF with logistic regression and of the default transformer.

    Attributes:
        params: Hyper-parameters of the default transformer.
        epochs: Epochs of the default transformer.
        rules: The decision rules of the default transformer, fitted on the validation part of the first seed.
        post_rule: Its rule for predictions about posts, see `ModelManifest`.
        entries: One for each baseline.
        objective: The score that a search maximises and its population, in words.
        calibration: The calibration error and its population, in words.
    """

    KIND: ClassVar[str] = "baseline"
    VERSION: ClassVar[int] = 4
    FILE: ClassVar[str] = "baseline.json"

    agent: str
    objective: str
    calibration: str
    params: dict[str, Any]
    epochs: int
    rules: dict[str, Any]
    post_rule: dict[str, Any] | None
    entries: list[BaselineScores]
    performance: dict[str, float]


class StageCResult(Document):
    """stage_c.json, the ranking of the candidates and the choice.

    Attributes:
        folds: Number of folds in each repeat.
        repeats: Number of repeats.
        objective: The score that ranks the candidates and its population, in words.
        calibration: The calibration error that decides between equals, in words.
        ranking: The candidates by mean objective, best first, with standard errors and tests against the best. Those
            that were given up come last, with the number of folds that they had.
        choice: The chosen candidate, and the rule that chose it.
        bias_corrected: The best candidate's objective, corrected for its choice on the same folds (BBC-CV), as
            {plain, value, low, high}; None if it is undefined.
        ensemble: Of candidates that are averaged: `picks` names each as often as its weight says, with the scores of
            such a selection; None if nothing is averaged.
        baseline: The baseline's scores, and the test of the chosen candidate against it.
    """

    KIND: ClassVar[str] = "stage_c"
    VERSION: ClassVar[int] = 4
    FILE: ClassVar[str] = "stage_c.json"

    agent: str
    folds: int
    repeats: int
    objective: str
    calibration: str
    ranking: list[dict[str, Any]]
    choice: dict[str, Any]
    bias_corrected: dict[str, float] | None
    ensemble: dict[str, Any] | None
    baseline: dict[str, Any]
    performance: dict[str, Any]

    def objective_of(self, test: "TestEvaluation") -> dict[str, Any]:
        """Return the cross-validated objective of the model that is delivered."""
        found: dict[str, Any] = (self.ensemble if test.delivers_ensemble else None) or self.choice
        objective: dict[str, Any] = found["objective"]
        return objective

    @property
    def members(self) -> list[int]:
        """The different candidates that are averaged, the one with the greatest weight first."""
        return list(dict.fromkeys(self.ensemble["picks"])) if self.ensemble is not None else []


class ModelScores(FrozenSchema):
    """The scores of a model on the test set.

    Attributes:
        f1_macro: {value, low, high} in the population of the evaluation, with a 95 % bootstrap interval over groups
            of posts.
        ece: Likewise.
        intervals: Scores with intervals by level and name; a score that is undefined is missing. The levels are
            'annotated' pairs, 'natural' pairs, 'post_criterion' (all pairs of a post and a criterion) and 'post'
            (each post's set of criteria).
        per_criterion: F1 with its interval, in the main population, of each criterion that has a positive.
        scores: All scores, as `Agent.scores` returns them, and under `post_criterion` those of `score_posts`.
        answers: The predictions, as `Agent.dump` returns them.
    """

    name: str
    f1_macro: dict[str, float]
    ece: dict[str, float]
    intervals: dict[str, dict[str, dict[str, float]]]
    per_criterion: dict[str, dict[str, float]]
    scores: dict[str, Any]
    answers: dict[str, Any]


class PairedComparison(FrozenSchema):
    """The chosen model compared with another one on the posts of the test set.

    Attributes:
        other: Name of the other model.
        f1_macro: Difference chosen − other as {value, low, high, p}, with a 95 % interval and a two-sided p.
        ece: The same for ECE.
        gain_percent: Difference of F1-macro in percent of the other's; None if the other's is 0.
        per_criterion: As f1_macro, for each criterion with a positive; p_holm is p adjusted for the number of
            criteria (Holm, 1979).
        levels: The difference of F1-macro at each level of `ModelScores.intervals`.
    """

    other: str
    f1_macro: dict[str, float]
    ece: dict[str, float]
    gain_percent: float | None
    per_criterion: dict[str, dict[str, float]]
    levels: dict[str, dict[str, float]]


class TestOpening(FrozenSchema):
    """A line of test_openings.jsonl, which says when, by which code and for which model the test set was opened."""

    when: str
    code_version: str
    config_hash: str
    model: str


class CalibrationInTheLarge(FrozenSchema):
    """Calibration in the large of a task, on the development posts that the model learned from.

    Attributes:
        mean_probability: Mean probability of yes under the rules that cross-validation gave.
        prevalence: Share of positives.
        shift: What was added to the offsets because the odds of the two differ more than twofold, else 0.
    """

    mean_probability: float
    prevalence: float
    shift: float

    def sentence(self, population: str) -> str:
        """Return a sentence that gives the figures and says whether the offsets were shifted.

        Args:
            population: Name of the population.
        """
        figures = (
            f"development pairs, {population}: mean probability {self.mean_probability:.3f}, positive"
            f" {self.prevalence:.3f}"
        )
        if not self.shift:
            return figures
        return (
            f"{figures}: the rules of cross-validation do not suit this training, so the offsets were shifted by"
            f" {self.shift:+.2f}; train longer before you trust its probabilities"
        )


class TestEvaluation(Document):
    """test.json, the evaluation of the delivered model, the other models and the baselines on the test set.

    Attributes:
        chosen: The chosen candidate and its backbone, the picks of the ensemble, and which of the two is delivered
            ('single' or 'ensemble').
        population: The population of the main scores, 'natural' or 'annotated'.
        sizes: Number of posts, groups of posts, examples, annotated and natural examples, and positives of the
            population.
        examples: Ids of the examples.
        truth: Label of each example.
        criteria: Criterion of each example.
        models: The delivered model, the ensemble or the chosen candidate if it is not delivered, then the baselines.
        seeds: Scores of each training of the chosen candidate, if its model is their average, as in
            `ModelScores.scores`, also if the ensemble is delivered.
        against: The chosen model compared with each other model.
        targets: Whether each target is met, by name.
        calibration_in_the_large: Calibration in the large of each task of the chosen model.
        openings: Every time that the test set was opened in this results folder, this one last.
        performance: Figures measured with a clock.
    """

    KIND: ClassVar[str] = "test"
    VERSION: ClassVar[int] = 9
    FILE: ClassVar[str] = "test.json"

    agent: str
    chosen: dict[str, Any]
    population: str
    sizes: dict[str, int]
    examples: list[str]
    truth: list[bool]
    criteria: list[str]
    models: list[ModelScores]
    seeds: list[dict[str, Any]]
    against: list[PairedComparison]
    targets: dict[str, bool]
    calibration_in_the_large: dict[str, CalibrationInTheLarge] = Field(default_factory=dict)
    openings: list[TestOpening]
    performance: dict[str, Any]

    @property
    def delivers_ensemble(self) -> bool:
        """Whether the delivered model is the ensemble."""
        return bool(self.chosen["delivered"] == "ensemble")

    def strongest(self) -> tuple[ModelScores, PairedComparison]:
        """Return the baseline with the highest F1-macro, and the comparison of the chosen model with it."""
        baselines = [model for model in self.models if model.name in BASELINES]
        best = max(baselines, key=lambda model: model.f1_macro["value"])
        return best, next(comparison for comparison in self.against if comparison.other == best.name)


class NestedResult(Document):
    """nested.json, the searches of the outer folds of nested cross-validation.

    Attributes:
        objective: The score and its population, in words.
        searches: For each outer fold its number, the backbone and hyper-parameters that its search chose, the score
            of the delivered model on its posts, and the cross-validated and the bias-corrected score of its search.
        score: Mean of the scores over the outer folds, and its corrected standard error.
        deviations: As `lib.reporting.nested.deviations` returns them.
    """

    KIND: ClassVar[str] = "nested"
    FILE: ClassVar[str] = "nested.json"

    agent: str
    objective: str
    searches: list[dict[str, Any]]
    score: dict[str, float]
    deviations: dict[str, dict[str, float | None]]


class TrialProvenance(Document):
    """provenance.json, all that is needed to reproduce an agent's chosen trial.

    Attributes:
        settings: The settings of the search.
        backbones: Content hash of each backbone of the space.
        trial: Number of the chosen configuration's trial in Stage B.
        params: Hyper-parameters of the trial.
        seeds: Scores of each seed of the trial.
        files: Hash of each result file.
        outer_fold: The number of the outer fold that searched; None for the main search.
    """

    KIND: ClassVar[str] = "provenance"
    VERSION: ClassVar[int] = 2
    FILE: ClassVar[str] = "provenance.json"

    agent: str
    settings: dict[str, Any]
    backbones: dict[str, str]
    trial: int
    params: dict[str, Any]
    seeds: list[SeedResult]
    files: dict[str, str]
    outer_fold: int | None = None


class ModelManifest(Document):
    """model.json, which describes the weights next to it and how the model decides.

    Attributes:
        agent: Name of the agent.
        params: Hyper-parameters, under the names of the search space.
        rules: The decision rule of each task.
        post_rule: The rule by which predictions about sentences become those about posts; None for an agent that
            reads posts, and if unannotated pairs are unknown.
        population: The population that the rules were fitted for, 'natural' or 'annotated'.
        criteria: Text that the model reads for each criterion, by name.
        calibration_in_the_large: Of each task; it can have shifted the offsets in `rules`.
        members: Folders of the models whose calibrated probabilities are averaged, with manifests of their own;
            empty for the model of one training.
        trained: `epochs`, the epochs trained; `of`, the length of the schedule; numbers of examples and posts.
        performance: Times and memory of the training; of an average, the seconds of all of its trainings.
    """

    KIND: ClassVar[str] = "model"
    VERSION: ClassVar[int] = 4
    FILE: ClassVar[str] = "model.json"

    agent: str
    params: dict[str, Any]
    rules: dict[str, Any]
    post_rule: dict[str, Any] | None
    population: str
    criteria: dict[str, str]
    calibration_in_the_large: dict[str, CalibrationInTheLarge] = Field(default_factory=dict)
    members: tuple[str, ...] = ()
    trained: dict[str, int]
    performance: dict[str, float]


class Summary(Document):
    """summary.json, the main results of every agent, as `lib.reporting.summary.summary_entry` returns them."""

    KIND: ClassVar[str] = "summary"
    VERSION: ClassVar[int] = 4
    FILE: ClassVar[str] = "summary.json"

    agents: list[dict[str, Any]]
