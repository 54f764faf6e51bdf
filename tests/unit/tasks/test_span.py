import numpy as np
import pytest
import torch
from support.made_examples import batch_of, hyper, make_examples, tokens

from lib.tasks.decision import DecisionRule, RuleValues
from lib.tasks.examples import WeightedSample, make_targets
from lib.tasks.span import Spans, SpanTask

TEXT = "Hello. I am tired. Bye."


def neutral(n: int) -> RuleValues:
    return RuleValues.of(DecisionRule.neutral(["A"]), ["A"] * n)


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


def test_windows_with_evidence_weigh_more_and_easy_ones_less() -> None:
    known, task = tokens(), SpanTask()
    _, targets = batch_of(known, make_targets(known, np.array([1]), [[(9, 18)]]))
    assert targets.label.tolist() == [1, 1]
    outputs = {"start": torch.randn(2, 7, generator=torch.Generator().manual_seed(0)), "end": torch.zeros(2, 7)}
    plain = task.loss(outputs, targets, hyper()).item()
    assert task.loss(outputs, targets, hyper(**{"loss.positive_weight": 3.0})).item() == pytest.approx(3 * plain)
    assert 0 < task.loss(outputs, targets, hyper(**{"loss.focal_gamma": 1.0})).item() < plain


def test_the_best_legal_span_is_found_across_windows_in_characters() -> None:
    known, task = tokens(), SpanTask()
    batch, targets = batch_of(known, make_targets(known, np.array([0]), [[]]))
    start, end = torch.zeros(2, 7), torch.zeros(2, 7)
    start[0, 3], end[0, 5] = 2.0, 2.0  # "I am tired." has a score of 4 in the first window
    start[1, 2], end[1, 3] = 3.0, 3.0  # "am tired." has 6 in the second, minus the score of no answer there
    start[1, 0] = 1.0
    start[0, 1] = end[0, 1] = 99.0  # the question is never an answer
    rows = {
        n: v.numpy() for n, v in task.window_logits({"start": start, "end": end}, targets, batch, hyper()).items()
    }
    logits = task.combine_windows(rows, known, np.arange(2), np.array([0]))
    assert logits[0][0] == (9, 18, 5.0) and (7, 18, 4.0) in logits[0]
    assert all(s < e for s, e, _ in logits[0]) and len(set(logits[0])) == len(logits[0]) == 10
    short = task.window_logits({"start": start, "end": end}, targets, batch, hyper(**{"span.max_answer": 2}))
    spans = task.combine_windows({n: v.numpy() for n, v in short.items()}, known, np.arange(2), np.array([0]))[0]
    assert (7, 18) not in {(s, e) for s, e, _ in spans} and (9, 18, 5.0) in spans
    predictions = task.decide(logits, neutral(1), hyper(**{"null_policy.name": "none"}), np.zeros(1))
    scores = predictions.score(make_examples(TEXT, [[(9, 18)]], ["A"]), WeightedSample.uniform(np.array([0])))
    assert scores["exact_match"] == scores["has_answer"] == 1 and scores["no_answer"] is None
    total = predictions.none[0] + sum(p for _, _, p in predictions.candidates[0])
    assert total == pytest.approx(1) and predictions.none[0] < 0.01
    assert 0.9 < predictions.confidence[0] <= 1
    again = Spans.load(predictions.dump()).candidates[0]
    assert [span[:2] for span in again] == [span[:2] for span in predictions.candidates[0]]
    assert task.load_logits(task.dump_logits(logits)) == logits


def test_members_are_averaged_span_by_span() -> None:
    task = SpanTask()
    members = [([[(0, 6, 2.0)]], neutral(1)), ([[(7, 18, 3.0), (0, 6, 1.0)]], neutral(1))]
    one, two = (task.decide(logits, values, hyper(), np.zeros(1)) for logits, values in members)
    mean = task.decide(task.average_logits(members), neutral(1), hyper(), np.zeros(1))
    chances = {(s, e): p for s, e, p in mean.candidates[0]}
    second = {(s, e): p for s, e, p in two.candidates[0]}
    assert chances[0, 6] == pytest.approx((one.candidates[0][0][2] + second[0, 6]) / 2)
    assert chances[7, 18] == pytest.approx(second[7, 18] / 2)
    assert mean.none[0] == pytest.approx((one.none[0] + two.none[0]) / 2) and mean.yes[0]


def test_thresholds_of_spans_weigh_wrong_answers_against_missed_ones() -> None:
    """Half of the answers with a score of 1 are right, and most of those with a score of 3."""
    task, data = SpanTask(), make_examples(TEXT, [[(7, 18)], [], [], [(7, 18)], [(7, 18)], []] * 20, ["A"] * 120)
    logits = [[(7, 18, score)] for score in (1.0, 1.0, 1.0, 3.0, 3.0, -1.0)] * 20
    (rule,) = task.fit_rules(
        logits, data, WeightedSample.uniform(np.arange(120)), [hyper(**{"null_policy.name": "threshold"})]
    )
    values = RuleValues.of(rule, data.criterion)
    decided = task.decide(logits, values, hyper(**{"null_policy.name": "threshold"}), values.threshold)
    assert decided.yes[:6].tolist() == [False, False, False, True, True, False]
