from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest
from scipy.special import expit
from support.made_examples import hyper

from lib.settings.hyperparameters import NullPolicy
from lib.tasks.decision import (
    DecisionRule,
    RuleValues,
    fit_calibration,
    fit_f1_thresholds,
    fit_soft_f1_thresholds,
    fit_yes_no_threshold,
)
from lib.tasks.label import LabelTask
from lib.tasks.span import SpanTask


def neutral(n: int) -> RuleValues:
    return RuleValues.of(DecisionRule.neutral(["A"]), ["A"] * n)


def divided(odds: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    return lambda temperature: odds / temperature


@pytest.mark.parametrize("policy", get_args(NullPolicy))
def test_null_policies_by_hand(policy: str) -> None:
    """The first example has two spans with a score of 1. Each has probability 0.42, and no answer has 0.155."""
    logits = [[(0, 6, 1.0), (7, 18, 1.0)], [(0, 6, -3.0)], []]

    def yes(threshold: float) -> list[bool]:
        chosen = hyper(**{"null_policy.name": policy})
        return SpanTask().decide(logits, neutral(3), chosen, np.full(3, threshold)).yes.tolist()

    any_answer, best = float(np.log(2 * np.e)), 1.0
    if policy == "none":
        assert yes(9.0) == [True, True, False]
    elif policy == "ratio":
        assert yes(best - 0.01) == [True, False, False] and yes(best + 0.01) == [False, False, False]
    else:
        assert yes(any_answer - 0.01) == [True, False, False] and yes(any_answer + 0.01) == [False, False, False]
        assert yes(-3.1) == [True, True, False]


def test_calibration_recovers_temperature_and_offsets() -> None:
    """The log odds are three times too far from 0, and the criteria have other base rates."""
    rng = np.random.default_rng(0)
    odds, criterion = rng.normal(0, 2, 60_000), rng.choice(["A", "B"], 60_000)
    truth = (rng.random(60_000) < expit(odds + np.where(criterion == "A", -2.0, 1.0))).astype(int)
    temperature, offset = fit_calibration(divided(3 * odds), truth, criterion.tolist(), np.ones(60_000))
    assert temperature == {"A": pytest.approx(3, rel=0.05), "B": pytest.approx(3, rel=0.05)}
    assert offset["A"] == pytest.approx(-2, abs=0.1) and offset["B"] == pytest.approx(1, abs=0.1)


def test_calibration_undoes_the_sampling_of_negatives() -> None:
    """A model of a sample with one in ten negatives predicts yes too often (King & Zeng, 2001)."""
    rng = np.random.default_rng(1)
    odds = rng.normal(-3, 2, 200_000)
    truth = (rng.random(200_000) < expit(odds)).astype(int)
    kept = np.flatnonzero((truth == 1) | (rng.random(200_000) < 0.1))
    weight = np.where(truth[kept] == 1, 1.0, 10.0)
    of_sample = odds[kept] + np.log(10)
    _, offset = fit_calibration(divided(of_sample), truth[kept], ["A"] * len(kept), weight)
    assert offset["A"] == pytest.approx(-np.log(10), abs=0.1)


def test_criteria_have_their_own_temperatures() -> None:
    rng = np.random.default_rng(4)
    odds, criterion = rng.normal(0, 2, 60_000), rng.choice(["A", "B"], 60_000)
    truth = (rng.random(60_000) < expit(odds)).astype(int)
    wrong = odds * np.where(criterion == "A", 2.0, 1.0)
    temperature, _ = fit_calibration(divided(wrong), truth, criterion.tolist(), np.ones(60_000))
    assert temperature == {"A": pytest.approx(2, rel=0.05), "B": pytest.approx(1, rel=0.05)}


def test_a_rare_criterion_has_nearly_the_common_rule() -> None:
    rng = np.random.default_rng(2)
    odds = rng.normal(0, 2, 5000)
    truth = (rng.random(5000) < expit(odds - 1)).astype(int)
    criterion = ["rare" if i < 4 else "common" for i in range(5000)]
    truth[:4] = 1
    temperature, offset = fit_calibration(divided(odds), truth, criterion, np.ones(5000))
    # Alone, the criterion would have no finite offset or temperature, because all of its pairs are positive.
    assert 0.5 < temperature["rare"] / temperature["common"] < 2
    assert abs(offset["rare"] - offset["common"]) < 1.5
    assert fit_calibration(divided(odds), np.zeros(5000, int), criterion, np.ones(5000)) == (
        {"common": 1.0, "rare": 1.0},
        {"common": 0.0, "rare": 0.0},
    )


def test_thresholds_maximise_their_scores() -> None:
    rng = np.random.default_rng(3)
    label = (rng.random(40_000) < 0.1).astype(int)
    statistic = label + rng.normal(0, 0.7, 40_000)
    weight = np.where(label == 1, 1.0, 3.0)

    def f1(threshold: float) -> float:
        yes = statistic >= threshold
        return 2 * (label * weight)[yes].sum() / (weight[yes].sum() + (label * weight).sum())

    best = max(f1(t) for t in np.quantile(statistic, np.linspace(0, 1, 2001)))
    temperature, offset = fit_calibration(divided(statistic), label, ["A"] * 40_000, weight)
    odds = statistic / temperature["A"] + offset["A"]
    found = fit_f1_thresholds(odds, label, ["A"] * 40_000, weight)["A"]
    assert f1((found - offset["A"]) * temperature["A"]) == pytest.approx(best, abs=0.01)
    hit = 0.8 * label * rng.random(40_000)
    best_hit = fit_soft_f1_thresholds(statistic, hit, label, ["A"] * 40_000, weight)["A"]

    def hit_f1(threshold: float) -> float:
        yes = statistic >= threshold
        return float(2 * (hit * weight)[yes].sum() / (weight[yes].sum() + (label * weight).sum()))

    assert hit_f1(best_hit) == pytest.approx(
        max(hit_f1(t) for t in np.quantile(statistic, np.linspace(0, 1, 2001))), abs=1e-3
    )
    both = fit_yes_no_threshold(statistic, label)
    assert 0 < both < 1.5


def test_thresholds_do_not_follow_the_chance_of_few_positives() -> None:
    """Over samples with ten positives the threshold varies less than one that fits their labels."""
    found, empirical = [], []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        odds = rng.normal(-4, 2, 250)
        label = (rng.random(250) < expit(odds)).astype(int)
        found.append(fit_f1_thresholds(odds, label, ["A"] * 250, np.ones(250))["A"])
        scores = [2 * label[odds >= t].sum() / ((odds >= t).sum() + label.sum()) for t in np.sort(odds)]
        empirical.append(np.sort(odds)[int(np.argmax(scores))])
    assert np.std(found) < 0.5 * np.std(empirical)
    assert np.mean(found) == pytest.approx(np.mean(empirical), abs=0.5)


def test_the_mean_of_rules() -> None:
    one = DecisionRule({"A": 1.0}, {"A": 1.0}, {"A": 0.0}, 0.5)
    other = DecisionRule({"A": 4.0}, {"A": 3.0}, {"A": -1.0}, 1.5)
    assert DecisionRule.mean([one, other]) == DecisionRule({"A": pytest.approx(2.0)}, {"A": 2.0}, {"A": -0.5}, 1.0)


def test_a_rare_criterion_has_nearly_the_common_threshold() -> None:
    rng = np.random.default_rng(4)
    label = (rng.random(3000) < 0.2).astype(int)
    statistic = label + rng.normal(0, 0.5, 3000)
    label[:2], statistic[:2] = 1, (-5.0, 9.0)  # the only pairs of the rare criterion
    criterion = ["rare", "rare", *["common"] * 2998]
    found = fit_f1_thresholds(statistic, label, criterion, np.ones(3000))
    assert found["rare"] == pytest.approx(found["common"], abs=0.2)


def test_a_label_says_yes_from_its_threshold_on() -> None:
    odds = np.log(np.array([0.4 / 0.6, 0.6 / 0.4]))
    decided = LabelTask().decide(odds, neutral(2), hyper(), np.full(2, float(odds[0])))
    assert decided.yes.tolist() == [True, True] and decided.probability == pytest.approx([0.4, 0.6])
    assert LabelTask().decide(odds, neutral(2), hyper(), np.zeros(2)).yes.tolist() == [False, True]


def test_rules_survive_dumping_and_learn_of_new_criteria() -> None:
    rule = DecisionRule({"A": 1.0, "B": 4.0}, {"A": 1.0, "B": 3.0}, {"A": 0.5, "B": 0.7}, 0.1)
    assert DecisionRule.load(rule.dump()) == rule
    assert rule.completed(["A", "C"]).offset == {"A": 1.0, "C": 2.0}
    assert rule.completed(["A", "C"]).temperature == {"A": 1.0, "C": pytest.approx(2.0)}
