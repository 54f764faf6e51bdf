"""Greedy ensemble selection (Caruana et al., 2004)."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import expit
from support.made_examples import hyper, make_examples
from support.tiny import tiny_settings

from lib.agents import get_agent
from lib.evaluation import ensemble
from lib.evaluation.ensemble import HeldOutPredictions, greedy_selection, score_selection, with_usual_policy
from lib.metrics.objective import Objective
from lib.tasks.examples import WeightedSample


def made(n: int, noise: list[float], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return calibrated probabilities of models with independent noise, and the truth."""
    rng = np.random.default_rng(seed)
    signal = rng.normal(0, 2, n)
    truth = (rng.random(n) < expit(signal)).astype(int)
    odds = [signal + rng.normal(0, each, n) for each in noise]
    return np.stack([expit(o / (1 + each / 4)) for o, each in zip(odds, noise, strict=True)])[None], truth[None]


def log_loss(probability: np.ndarray, truth: np.ndarray) -> float:
    return float(-np.log(np.where(truth == 1, probability, 1 - probability)).mean())


def test_a_selection_is_better_than_each_model_on_other_examples_and_leaves_bad_ones_out() -> None:
    probability, truth = made(4000, [1.0, 1.0, 1.0, 9.0])
    picks = greedy_selection(probability[..., :2000], truth[..., :2000], most=4)
    assert set(picks) == {0, 1, 2}
    later = probability[0, :, 2000:]
    alone = [log_loss(model, truth[0, 2000:]) for model in later]
    assert log_loss(later[picks].mean(axis=0), truth[0, 2000:]) < min(alone)


def test_a_selection_begins_with_the_best_model_and_has_at_most_so_many_different_ones() -> None:
    probability, truth = made(3000, [1.5, 1.0, 1.2, 1.1])
    picks = greedy_selection(probability, truth, most=2)
    assert picks[0] == 1 and len(set(picks)) == 2
    assert greedy_selection(probability, truth, most=1) == [1]


def test_a_model_that_is_worth_more_is_picked_more_often() -> None:
    probability, truth = made(5000, [0.6, 2.0])
    picks = greedy_selection(probability, truth, most=2)
    assert picks.count(0) > picks.count(1)


def test_a_fold_is_scored_by_a_selection_on_the_other_folds_of_its_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[list[int]] = []

    def select(by_fold: object, folds: list[int], most: int) -> list[int]:
        chosen.append(folds)
        raise RuntimeError

    monkeypatch.setattr(ensemble, "select_ensemble", select)
    experiment = SimpleNamespace(
        agent=None, examples=None, settings=tiny_settings(stage_c={"folds": 3, "repeats": 2})
    )
    for number in range(6):
        only = {number: {}, **{n: {} for n in range(6) if n != number}}
        with pytest.raises(RuntimeError):
            ensemble.score_selection(experiment, only, 2)
    assert chosen == [[1, 2], [0, 2], [0, 1], [4, 5], [3, 5], [3, 4]]


def test_an_ensemble_decides_by_the_policy_by_which_most_of_it_was_judged() -> None:
    ratio, none = (hyper(**{"null_policy.name": name}) for name in ("ratio", "none"))
    assert with_usual_policy([none, ratio, ratio]).null_policy == "ratio"
    assert with_usual_policy([none, ratio]).null_policy == "none"


def test_a_selection_of_one_candidate_has_its_score() -> None:
    rng, agent, size = np.random.default_rng(5), get_agent("criteria"), 900
    answers = [[(0, 4)] if yes else [] for yes in rng.random(size) < 0.3]
    examples = make_examples("Here.", answers, rng.choice(["A", "B"], size).tolist())
    settings = tiny_settings(stage_c={"folds": 3})
    experiment = SimpleNamespace(
        agent=agent,
        examples=examples,
        settings=settings,
        objective=Objective.of(settings.config.objective),
        development=SimpleNamespace(criteria=["A", "B"]),
    )
    # Overconfident and biased, so that the rules matter.
    odds, chosen = 4 * rng.normal(2 * examples.label - 1, 1.0) + 3, hyper(**{"null_policy.name": "threshold"})
    by_fold, own = {}, []
    for number, index in enumerate(np.split(rng.permutation(size), 3)):
        sample, logits = WeightedSample.uniform(index), {"label": odds[index]}
        values = agent.cross_fit(logits, examples, sample, chosen)
        own.append(experiment.objective.values(agent.scores(logits, values, examples, sample, chosen)))
        probability = agent.decide(logits, values, chosen)["label"].probability
        predicted = HeldOutPredictions(chosen, index, logits, values, probability[None], examples.label[index][None])
        by_fold[number] = {7: predicted}
    found = zip(*score_selection(experiment, by_fold, most=1), strict=True)
    assert np.array(list(found)) == pytest.approx(np.array(own), abs=0.02)
