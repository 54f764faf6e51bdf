"""Made-up evaluations for tests of everything that shows scores, and a check of real ones."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lib.agents import get_agent
from lib.corpus.store import load_development
from lib.metrics.classification import binary_scores
from lib.metrics.objective import Objective
from lib.metrics.spans import best_over_gold_answers, span_scores
from lib.schemas.evaluation import (
    CalibrationInTheLarge,
    ModelManifest,
    ModelScores,
    PairedComparison,
    StageCResult,
    TestEvaluation,
)
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.decision import DecisionRule
from lib.tasks.examples import WeightedSample
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


def check_stage_c(agent: str) -> None:
    """Check the scores of an agent that reads posts, and that a fold's answers, put back into the posts, give them.

    The working directory holds the results.
    """
    result = json.loads(Path(f"results/{agent}/stage_c.json").read_text())
    names = [task.name for task in get_agent(agent).tasks]
    scores = result["ranking"][0]["scores"]
    parts = [scores[name] for name in names] if len(names) > 1 else [scores]
    for each in parts:
        assert {"f1_macro", "ece", "auroc", "log_loss", "confusion", "per_criterion"} <= set(each)
    span = scores["span"] if len(names) > 1 else scores
    assert 0 <= span["no_answer"] <= 1 and 0 <= span["has_answer"] <= 1 and 0 < span["prevalence"] < 0.5
    assert scores["population"] == "natural" and scores["annotated"]["f1_macro"] >= 0
    if len(names) > 1:
        assert scores["f1_macro"] == pytest.approx(sum(part["f1_macro"] for part in parts) / 2)
    assert len(result["baseline"]["objective"]["folds"]) == 2

    # The fold's answers, put back into the posts, give the fold's scores.
    fold = json.loads(Path(f"results/{agent}/stage_c/0-0.json").read_text())
    posts = pd.read_parquet("results/corpus/posts.parquet").set_index("post_id")["text"]
    rows = pd.read_parquet("results/corpus/annotations.parquet").query("status == 1")
    values: dict[str, list[float]] = {}
    golds_of: dict[str, list[str]] = {}
    reader, hyper = get_agent(agent), Hyperparameters.of(fold["params"])
    examples = reader.examples(load_development(Path("results/corpus")))
    logits, sample = reader.load_logits(fold["logits"]), WeightedSample.uniform(examples.indices_of(fold["examples"]))
    answers = reader.decide(logits, reader.cross_fit(logits, examples, sample, hyper), hyper)["span"]
    for example, spans, yes in zip(fold["examples"], answers.candidates, answers.yes, strict=True):
        post, criterion = example.split(" ")
        mine = rows[(rows["post_id"] == post) & (rows["criterion"] == criterion)]
        golds = [posts[post][start:end] for start, end in zip(mine["start"], mine["end"], strict=True)]
        assert golds == mine["sentence"].tolist()
        golds_of[example] = golds
        answer = posts[post][slice(*spans[0][:2])] if yes else ""
        values.setdefault(criterion, []).append(best_over_gold_answers(golds, answer)[0])
    positive = {example.split(" ")[1] for example in fold["examples"] if golds_of[example]}
    means = [sum(f1s) / len(f1s) for criterion, f1s in values.items() if criterion in positive]
    expected = sum(means) / len(means)
    span = fold["scores"]["span"] if len(names) > 1 else fold["scores"]
    assert span["token_f1"] == pytest.approx(expected)
    assert str(posts.iloc[0])[:40] not in json.dumps(fold)
