from typing import get_args

import numpy as np
import pytest
import torch
from conftest import params
from scipy.special import expit
from torch.nn import functional as F

from lib.modeling.tokens import Batch, Tokens
from lib.settings.hyperparameters import Hyperparameters, NullPolicy
from lib.tasks.decision import fit_temperature, negative_log_likelihood
from lib.tasks.examples import Examples, Targets, make_targets
from lib.tasks.label import LabelTask
from lib.tasks.span import SpanTask, confidence

TEXT = "Hello. I am tired. Bye."


def hyper(**more: object) -> Hyperparameters:
    return Hyperparameters.of(params(**{"loss.label_smoothing": 0.0, "null_policy.temperature": 1.0} | more))


def tokens() -> Tokens:
    """Two windows of one pair, by words: cls + question + words; the second starts at 'am'."""
    words = [(0, 6), (7, 8), (9, 11), (12, 18), (19, 23)]
    windows = [[(-1, -1), (-1, -1), *words], [(-1, -1), (-1, -1), *words[2:]]]
    flat = np.array([span for window in windows for span in window], dtype=np.int32)
    ids = torch.tensor([0, 1, 2, 3, 4, 5, 6, 0, 1, 4, 5, 6])
    offsets, pair = np.array([0, 7, 12]), np.array([0, 0])
    return Tokens(ids, None, offsets, pair, flat[:, 0], flat[:, 1], np.arange(7), 7, 0, pad_left=False)


def examples(answers: list[tuple[int, int]]) -> Examples:
    return Examples(["?"], [TEXT], np.array([int(bool(answers))]), [answers], ["A"], ["p"], ["p A"])


def batch_of(known: Tokens, targets: Targets) -> tuple[Batch, Targets]:
    both = np.arange(2)
    batch = known.batch(both)
    return batch, targets.batch(batch)


def test_the_span_loss_by_hand() -> None:
    known = tokens()
    _, targets = batch_of(known, make_targets(known, np.array([1]), [[(9, 18), (19, 23)]]))
    start, end = torch.randn(2, 7, generator=torch.Generator().manual_seed(0)), torch.zeros(2, 7)
    loss = SpanTask().loss({"start": start, "end": end}, targets, hyper())
    expected = 0.0
    for row, (golds, ends, allowed) in enumerate(
        [([4, 6], [5, 6], [0, 2, 3, 4, 5, 6]), ([2, 4], [3, 4], [0, 2, 3, 4])]
    ):
        p = start[row, allowed].softmax(0)
        expected -= torch.log(sum(p[allowed.index(g)] for g in golds)) / 2
        expected -= np.log(len(ends) / len(allowed)) / 2
    assert loss == pytest.approx(float(expected), rel=1e-5)


def test_the_best_legal_span_is_found_across_windows_in_characters() -> None:
    known, task = tokens(), SpanTask()
    batch, targets = batch_of(known, make_targets(known, np.array([0]), [[]]))
    start, end = torch.zeros(2, 7), torch.zeros(2, 7)
    start[0, 3], end[0, 5] = 2.0, 2.0  # "I am tired.": 4 in the first window
    start[1, 2], end[1, 3] = 3.0, 3.0  # "am tired.": 6 in the second, less its none
    start[1, 0] = 1.0
    start[0, 1] = end[0, 1] = 99.0  # the question is never an answer
    rows = {n: v.numpy() for n, v in task.read({"start": start, "end": end}, targets, batch, hyper()).items()}
    reading = task.gather(rows, known, np.arange(2), np.array([0]))
    assert reading[0][0] == (9, 18, 5.0) and (7, 18, 4.0) in reading[0]
    assert all(s < e for s, e, _ in reading[0]) and len(set(reading[0])) == len(reading[0]) == 10
    short = task.read({"start": start, "end": end}, targets, batch, hyper(**{"span.max_answer": 2}))
    spans = task.gather({n: v.numpy() for n, v in short.items()}, known, np.arange(2), np.array([0]))[0]
    assert (7, 18) not in {(s, e) for s, e, _ in spans} and (9, 18, 5.0) in spans
    answers = task.answer(reading, np.ones(1), hyper(**{"null_policy.name": "none"}))
    scores = task.score(answers, examples([(9, 18)]), np.array([0]))
    assert scores["exact_match"] == 1 and scores["no_answer"] == {"predicted": 0.0, "true": 0.0}
    total = answers.none[0] + sum(p for _, _, p in answers.candidates[0])
    assert total == pytest.approx(1) and answers.none[0] < 0.01
    assert 0.9 < confidence(answers)[0] <= 1
    assert task.load(task.dump(answers)).candidates == answers.candidates


@pytest.mark.parametrize("policy", get_args(NullPolicy))
def test_null_policies_by_hand(policy: str) -> None:
    """One example with spans of score 1 and 1: none 0.155, each span 0.42."""
    reading = [[(0, 6, 1.0), (7, 18, 1.0)], [(0, 6, -3.0)], []]

    def yes(**more: object) -> list[bool]:
        chosen = hyper(**{"null_policy.name": policy} | {f"null_policy.{k}": v for k, v in more.items()})
        return SpanTask().answer(reading, np.ones(3), chosen).yes.tolist()

    if policy == "none":
        assert yes() == [True, True, False]
    elif policy == "threshold":
        assert yes(threshold=0.84) == [True, False, False] and yes(threshold=0.85) == [False, False, False]
        assert yes(threshold=0.04) == [True, True, False]
    elif policy == "ratio":
        assert yes(ratio=2.7) == [True, False, False] and yes(ratio=2.8) == [False, False, False]
    else:
        assert yes() == [True, False, False]


@pytest.mark.parametrize("policy", get_args(NullPolicy))
def test_null_policies_move_the_decision_of_a_label(policy: str) -> None:
    odds = np.log(np.array([0.4 / 0.6, 0.6 / 0.4]))

    def yes(**more: object) -> list[bool]:
        chosen = hyper(**{"null_policy.name": policy} | {f"null_policy.{k}": v for k, v in more.items()})
        return LabelTask().answer(odds, np.ones(2), chosen).yes.tolist()

    expected = {"threshold": [True, True], "ratio": [True, True]}
    assert yes(threshold=0.35, ratio=0.5) == expected.get(policy, [False, True])


def test_a_temperature_is_recovered() -> None:
    rng = np.random.default_rng(0)
    odds = rng.normal(0, 2, 20_000)
    truth = (rng.random(20_000) < expit(odds)).astype(int)
    found = fit_temperature(lambda t: negative_log_likelihood(expit(3 * odds / t), truth))
    assert found == pytest.approx(3, rel=0.05)


def test_a_posts_label_is_that_of_its_most_telling_window() -> None:
    known, task = tokens(), LabelTask()
    batch, targets = batch_of(known, make_targets(known, np.array([1]), [[(7, 18)]]))
    logits = torch.tensor([[0.0, 2.0], [0.0, -1.0]])
    rows = {n: v.numpy() for n, v in task.read({"label": logits}, targets, batch, hyper()).items()}
    assert task.gather(rows, known, np.arange(2), np.array([0])).tolist() == [2.0]
    loss = task.loss({"label": logits}, targets, hyper())
    assert loss == pytest.approx(float(F.cross_entropy(logits, targets.label, reduction="sum")))
    assert targets.label.tolist() == [1, 1] and targets.weight.tolist() == [1.0, 1.0]


def test_members_are_averaged_span_by_span() -> None:
    task = SpanTask()
    one = task.answer([[(0, 6, 2.0)]], np.ones(1), hyper())
    two = task.answer([[(7, 18, 3.0), (0, 6, 1.0)]], np.ones(1), hyper())
    mean = task.average([one, two])
    chances = {(s, e): p for s, e, p in mean.candidates[0]}
    first = {(s, e): p for s, e, p in two.candidates[0]}
    assert chances[0, 6] == pytest.approx((one.candidates[0][0][2] + first[0, 6]) / 2)
    assert chances[7, 18] == pytest.approx(first[7, 18] / 2)
    assert mean.none[0] == pytest.approx((one.none[0] + two.none[0]) / 2) and mean.yes[0]
