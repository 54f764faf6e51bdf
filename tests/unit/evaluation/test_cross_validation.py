"""The choice between candidates of Stage C."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import expit
from support.made_examples import hyper, make_examples
from support.tiny import empty_provenance, tiny_settings

from lib.agents import get_agent
from lib.evaluation.cross_validation import candidates_in_the_race, compare_folds, correct_for_choice, is_as_good
from lib.evaluation.ensemble import HeldOutPredictions
from lib.metrics.classification import binary_scores
from lib.metrics.objective import Objective

PROVENANCE = empty_provenance()


def test_a_significantly_worse_candidate_is_not_as_good_as_the_best() -> None:
    rng = np.random.default_rng(0)
    fold = rng.normal(0.6, 0.05, 30)
    best, worse = fold + rng.normal(0, 0.004, (2, 30)) + [[0.0], [-0.015]]
    assert compare_folds(best, worse, ratio=1 / 4)["significant"]
    assert not is_as_good(worse, best, ratio=1 / 4)
    noisy = best - 0.002 + rng.normal(0, 0.01, 30)
    assert is_as_good(noisy, best, ratio=1 / 4) and is_as_good(best, best, ratio=1 / 4)


def race(scores: dict[int, list[float]]) -> list[int]:
    """Return the candidates that stay after folds with these scores, of repeats of five folds."""
    experiment = SimpleNamespace(agent=get_agent("criteria"), settings=tiny_settings(stage_c={"folds": 5}))
    results = [
        SimpleNamespace(candidate=candidate, fold=fold, scores={"objective": score}, provenance=PROVENANCE)
        for candidate, values in scores.items()
        for fold, score in enumerate(values)
    ]
    return candidates_in_the_race(experiment, list(scores), results)


def test_a_race_gives_up_what_is_significantly_worse_and_never_the_best() -> None:
    rng = np.random.default_rng(1)
    fold = rng.normal(0.6, 0.05, 5)
    close, far = fold - 0.002 + rng.normal(0, 0.01, 5), fold - 0.05 + rng.normal(0, 0.01, 5)
    scores = {0: far.tolist(), 1: fold.tolist(), 2: close.tolist()}
    assert race(scores) == [1, 2] and race({**scores, 3: scores[1]}) == [1, 2, 3], "equal scores stay"
    assert race({0: [0.5] * 5}) == [0]


@pytest.mark.slow
def test_racing_seldom_gives_up_the_candidate_that_is_best_in_truth() -> None:
    """Ten candidates differ by a point in the mean, with fold noise of two points."""
    rng, lost, trained = np.random.default_rng(2), 0, 0
    for _ in range(60):
        truth = rng.normal(0.6, 0.01, 10)
        folds = truth[:, None] + rng.normal(0, 0.03, 30) + rng.normal(0, 0.02, (10, 30))
        left = list(range(10))
        for repeat in range(1, 7):
            trained += 5 * len(left)
            left = race({number: folds[number, : 5 * repeat].tolist() for number in left})
        lost += int(np.argmax(truth)) not in left
    assert lost / 60 <= 0.05 and trained / 60 <= 0.75 * 300


@pytest.mark.parametrize("metric", ["f1_macro", "average_precision"])
def test_the_score_before_the_correction_is_that_of_all_folds_though_each_lacks_a_criterion(metric: str) -> None:
    rng, agent, size = np.random.default_rng(3), get_agent("criteria"), 40
    criterion = [name for names in ("AB", "AC", "BC") for name in rng.choice(list(names), size)]
    answers = [[(0, 4)] if yes else [] for yes in rng.random(3 * size) < 0.4]
    examples = make_examples("Here.", answers, criterion)
    objective = Objective.of(tiny_settings(objective={"metric": metric, "population": "annotated"}).config.objective)
    experiment = SimpleNamespace(agent=agent, examples=examples, settings=tiny_settings(), objective=objective)
    odds = rng.normal(2 * examples.label - 1, 1.5)
    rules = agent.neutral_rules("ABC")
    folds = [
        HeldOutPredictions(
            hyper(**{"null_policy.name": "threshold"}),
            index,
            {"label": odds[index]},
            agent.rule_values(rules, examples, index),
            expit(odds[index])[None],
            examples.label[index][None],
        )
        for index in np.arange(3 * size).reshape(3, size)
    ]
    found = correct_for_choice(experiment, [folds])
    every = binary_scores(expit(odds), odds >= 0, examples.label, criterion, np.ones(3 * size))
    assert found is not None and found["plain"] == pytest.approx(every[metric])
