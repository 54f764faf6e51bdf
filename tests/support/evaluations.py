"""An evaluation on a small test set, for tests of everything that shows its scores."""

from typing import Any

import numpy as np

from lib.metrics.classification import binary_scores
from lib.metrics.objective import Objective
from lib.metrics.spans import span_scores
from lib.schemas.evaluation import (
    CalibrationInTheLarge,
    ModelManifest,
    ModelScores,
    PairedComparison,
    StageCResult,
    TestEvaluation,
)
from lib.tasks.decision import DecisionRule
from support.tiny import empty_provenance

CRITERIA = ["A", "A", "A", "B", "B", "C"]
LABEL = np.array([1, 0, 0, 1, 0, 0])  # C has no positive
SCORE = {"value": 0.5, "low": 0.4, "high": 0.6}
DIFFERENCE = {"value": 0.1, "low": -0.1, "high": 0.3, "p": 0.04}
CALIBRATION_IN_THE_LARGE = {"label": CalibrationInTheLarge(mean_probability=0.05, prevalence=0.04, shift=0.0)}
NAMES = ("chosen", "default transformer", "TF-IDF + logistic regression", "majority")


def label_scores(yes: list[bool]) -> dict[str, Any]:
    chosen = np.array(yes)
    return binary_scores(np.where(chosen, 0.8, 0.1), chosen, LABEL, CRITERIA, np.ones(6))


def scores_of_spans(yes: list[bool]) -> dict[str, Any]:
    """Return the scores of answers that are right wherever they are given and there is evidence."""
    answers = ["tired" if each else "" for each in yes]
    golds = [["tired"] if label else [] for label in LABEL]
    return span_scores(answers, golds, np.full(6, 0.7), np.where(yes, 0.8, 0.1), CRITERIA, np.ones(6))


def agent_scores(agent: str, yes: list[bool], population: str = "natural") -> dict[str, Any]:
    """Return scores as `Agent.scores` returns them; both populations are the same here."""
    parts = {"label": label_scores(yes), "span": scores_of_spans(yes)}
    own = parts.get({"criteria": "label", "evidence": "span"}.get(agent, ""), {**parts["label"], **parts})
    return {"population": population, **own, "annotated": own}


def interval(value: float) -> dict[str, float]:
    return {"value": value, "low": min(value, max(0.0, value - 0.1)), "high": max(value, min(1.0, value + 0.1))}


def intervals(scores: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Return an interval of each score that is defined; two tasks also have those of an only one of them."""
    found = {**scores.get("span", {}), **scores}
    names = ("f1_macro", "ece", "f1_micro", "f1_yes_no", "precision", "sensitivity", "yes_rate", "mean_probability")
    names += ("average_precision", "auroc", "brier_skill", "token_f1", "has_answer", "no_answer")
    names += ("every_criterion_predicted", "criteria_predicted")
    return {name: interval(found[name]) for name in names if found.get(name) is not None}


def evaluation(
    agent: str = "criteria", population: str = "natural", names: tuple[str, ...] = NAMES
) -> TestEvaluation:
    """Return an evaluation in which the chosen model is right and all others always say no."""
    levels = ["annotated"] if population == "annotated" else ["natural", "annotated", "post_criterion", "post"]
    models = []
    for name in names:
        yes = [bool(label) and name == "chosen" for label in LABEL]
        scores = agent_scores(agent, yes, population)
        if population == "natural":
            post = {"f1_macro": 0.5, "f1_micro": 0.5, "every_criterion_predicted": 0.0}
            post |= {"criteria_predicted": 0.4, "criteria_true": 0.5, "left_out": 0, "incomplete": 0}
            scores["post_criterion"] = {**label_scores(yes), "post": post}
        by_level = {
            "natural": scores,
            "annotated": scores["annotated"],
            "post_criterion": scores.get("post_criterion", {}),
            "post": scores.get("post_criterion", {}).get("post", {}),
        }
        models.append(
            ModelScores(
                name=name,
                f1_macro=SCORE,
                ece=SCORE,
                intervals={level: intervals(by_level[level]) for level in levels},
                per_criterion={each: interval(scores["per_criterion"][each]["f1"]) for each in "AB"},
                scores=scores,
                answers={},
            )
        )
    against = [
        PairedComparison(
            other=name,
            f1_macro=DIFFERENCE,
            ece=DIFFERENCE,
            gain_percent=20.0,
            per_criterion={each: {**DIFFERENCE, "p_holm": 0.08} for each in "AB"},
            levels=dict.fromkeys(levels, DIFFERENCE),
        )
        for name in names[1:]
    ]
    return TestEvaluation(
        provenance=empty_provenance(),
        agent=agent,
        chosen={"candidate": 0, "backbone": "tiny-bert", "delivered": "single", "ensemble": []},
        population=population,
        sizes={"posts": 3, "groups": 3, "examples": 9, "annotated": 4, "natural": 5, "positives": 2},
        examples=[str(i) for i in range(6)],
        truth=[bool(label) for label in LABEL],
        criteria=CRITERIA,
        models=models,
        seeds=[],
        against=against,
        targets={"F1-macro at least 2 % above the strongest baseline": True, "ECE below 0.10": False},
        calibration_in_the_large=CALIBRATION_IN_THE_LARGE,
        openings=[],
        performance={},
    )


def cross_validation(agent: str = "criteria", population: str = "natural") -> StageCResult:
    """Return a cross-validation of one candidate."""
    folds = {"mean": 0.4, "standard_error": 0.02, "folds": [0.38, 0.42]}
    scores = agent_scores("criteria", [bool(label) for label in LABEL], population)
    entry = {"candidate": 0, "params": {"model.backbone": "tiny-bert"}, "objective": folds, "scores": scores}
    return StageCResult(
        provenance=empty_provenance(),
        agent=agent,
        folds=2,
        repeats=1,
        objective=Objective(population=population).name,
        calibration="1 − Brier skill",
        ranking=[{**entry, "calibration_error": folds, "given_up_after": None, "against_best": None}],
        choice={**entry, "rule": "best", "objective": folds, "calibration_error": folds},
        bias_corrected={"plain": 0.45, "value": 0.4, "low": 0.3, "high": 0.5},
        ensemble=None,
        baseline={"name": "TF-IDF + logistic regression", "objective": {**folds, "mean": 0.2}},
        performance={},
    )


def manifest(agent: str = "criteria", population: str = "natural") -> ModelManifest:
    """Return the manifest of the chosen model."""
    return ModelManifest(
        provenance=empty_provenance(),
        agent=agent,
        params={"null_policy.name": "threshold"},
        rules={"label": DecisionRule.neutral(["A", "B", "C"]).dump()},
        post_rule=None,
        population=population,
        criteria={"A": "tiredness"},
        calibration_in_the_large=CALIBRATION_IN_THE_LARGE,
        trained={"posts": 3, "examples": 6, "annotated": 4, "epochs": 2, "of": 2},
        performance={},
    )
