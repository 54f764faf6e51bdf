"""Predictions by post. A post meets a criterion if any of its sentences does."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from lib.metrics.classification import (
    binary_scores,
    binary_scores_from_statistics,
    binary_statistics,
    f1,
    safe_divide,
)
from lib.metrics.resampling import ScoreFromStatistics
from lib.tasks.decision import DecisionRule, RuleValues, fit_calibration, fit_f1_thresholds
from lib.tasks.examples import Examples, TextPairs
from lib.tasks.label import Labels
from lib.tasks.task import Index, TaskPredictions

# The scores of `set_scores_from_statistics`, in their order.
SET_SCORES = ("f1_macro", "f1_micro", "every_criterion_predicted", "criteria_predicted")


@dataclass(frozen=True)
class PostCriterionPairs:
    """All (post, criterion) pairs of some posts, by post and criterion.

    Attributes:
        post_id: The posts.
        criterion: The names of the criteria.
        log_odds: (n,) the log odds that the criterion is met.
        pair: The number of the pair that each of the combined texts belongs to.
    """

    post_id: list[str]
    criterion: list[str]
    log_odds: NDArray[np.float64]
    pair: NDArray[np.int64]


@dataclass(frozen=True)
class LabelledPostCriterionPairs(PostCriterionPairs):
    """All (post, criterion) pairs of some posts, of which it is known whether the post meets the criterion.

    Attributes:
        label: (n,) 1 where the criterion is met, else 0.
        group: (n,) the number of the post's group.
    """

    label: NDArray[np.int64]
    group: NDArray[np.int64]


def post_criterion_pairs(probability: NDArray[np.float64], texts: TextPairs, index: Index) -> PostCriterionPairs:
    """Combine the predictions about sentences into predictions about posts.

    The log odds of a post are the highest among its sentences. A rule is fitted to them (`fit_post_rule`), since a
    long post has more sentences that may be the highest. The probability of at least one sentence, 1 − Π (1 − p),
    ranks posts worse (docs/decisions): errors of many unlikely sentences add up in it.

    Args:
        probability: (n,) the calibrated probability of each pair; a pair of a whole post is kept as it is.
        texts: All (criterion, text) pairs.
        index: (n,) the pairs that the probabilities belong to.

    Returns:
        A pair for each (post, criterion) of the texts, in the order of their names, with its log odds.
    """
    names = [(texts.post_id[i], texts.criterion[i]) for i in index]
    pairs = sorted(set(names))
    number = {pair: place for place, pair in enumerate(pairs)}
    which = np.array([number[name] for name in names], dtype=np.int64)
    log_odds = np.full(len(pairs), -np.inf)
    np.maximum.at(log_odds, which, logit(np.clip(probability, 1e-12, 1 - 1e-12)))
    return PostCriterionPairs([post for post, _ in pairs], [criterion for _, criterion in pairs], log_odds, which)


def labelled_post_criterion_pairs(
    probability: NDArray[np.float64], examples: Examples, index: Index
) -> LabelledPostCriterionPairs:
    """Combine predictions as `post_criterion_pairs` does, and also their labels.

    A post meets a criterion if any of its sentences does.

    Args:
        probability: (n,) the calibrated probability of each example.
        examples: All examples.
        index: (n,) the examples that the probabilities belong to.

    Returns:
        A pair for each (post, criterion) of the examples, in the order of their names, with its log odds and label.
    """
    pairs = post_criterion_pairs(probability, examples, index)
    label = np.zeros(len(pairs.log_odds), dtype=np.int64)
    np.maximum.at(label, pairs.pair, examples.label[index])
    first = np.unique(pairs.pair, return_index=True)[1]
    return LabelledPostCriterionPairs(**vars(pairs), label=label, group=examples.group[index][first])


def fit_post_rule(pairs: LabelledPostCriterionPairs) -> DecisionRule:
    """Fit the rule that turns the log odds of posts into calibrated probabilities and decisions.

    Args:
        pairs: The pairs of posts that the model has not learned from.

    Returns:
        The rule, with thresholds that maximise the expected F1 of yes.
    """
    label, criterion, weight = pairs.label, pairs.criterion, np.ones(len(pairs.log_odds))
    temperature, offset = fit_calibration(lambda t: pairs.log_odds / t, label, criterion, weight)
    rule = DecisionRule(temperature, offset, dict.fromkeys(offset, 0.0), 0.0)
    values = RuleValues.of(rule, criterion)
    odds = values.calibrate(pairs.log_odds)
    threshold = fit_f1_thresholds(odds, label, criterion, weight)
    return DecisionRule(temperature, offset, threshold, 0.0)


def decide_posts(predictions: TaskPredictions, pairs: PostCriterionPairs, rule: DecisionRule | None) -> Labels:
    """Decide which posts meet which criteria, from the predictions about all of their texts.

    Args:
        predictions: Of the texts that were combined in `pairs`.
        pairs: The (post, criterion) pairs to decide.
        rule: From `fit_post_rule`. None if the texts are whole posts, whose predictions are kept, or if no rule could
            be fitted, because unannotated pairs are unknown; a post then meets what any of its sentences meets.

    Returns:
        The probability and the decision of each (post, criterion).
    """
    if rule is not None:
        values = RuleValues.of(rule, pairs.criterion)
        odds = values.calibrate(pairs.log_odds)
        return Labels(expit(odds), odds >= values.threshold)
    probability, yes = np.zeros(len(pairs.log_odds)), np.zeros(len(pairs.log_odds), dtype=bool)
    np.maximum.at(probability, pairs.pair, predictions.yes_probability)
    np.logical_or.at(yes, pairs.pair, predictions.yes)
    return Labels(probability, yes)


def score_posts(labels: Labels, pairs: LabelledPostCriterionPairs) -> dict[str, Any]:
    """Score the predictions by (post, criterion), and the set of criteria of each post.

    Args:
        labels: The predictions about all (post, criterion) pairs.
        pairs: These pairs.

    Returns:
        The scores of `binary_scores`, and under `post` those of `score_sets`.
    """
    weight = np.ones(len(pairs.label))
    scores = binary_scores(labels.probability, labels.yes, pairs.label, pairs.criterion, weight)
    return {**scores, "post": score_sets(labels.yes, pairs)}


def score_sets(yes: NDArray[np.bool_], pairs: LabelledPostCriterionPairs) -> dict[str, Any]:
    """Score each post's set of criteria, with 'none' as a further label, as ReDSM5's authors do.

    A post with an unknown pair has no known set, and is left out (see `_with_known_sets`).

    Args:
        yes: (n,) the predictions about all (post, criterion) pairs.
        pairs: These pairs.

    Returns:
        `f1_micro` and `f1_macro` over the labels that occur, the share of posts for which every criterion is
        predicted (`every_criterion_predicted`), the mean number of criteria predicted and truly met
        (`criteria_predicted`, `criteria_true`), and the number of posts that are left out (`left_out`), or
        if no post is complete, that count although a pair is unknown (`incomplete`).
    """
    complete = _complete(pairs)
    known = _with_known_sets(complete)
    predicted, true = _sets(yes, pairs)[known], _sets(pairs.label == 1, pairs)[known]
    hits, wrong = (predicted & true).sum(axis=0), (predicted ^ true).sum(axis=0)
    each = f1(hits, wrong)
    return {
        "f1_micro": float(f1(hits.sum(), wrong.sum())),
        "f1_macro": float(each[true.any(axis=0)].mean()) if true.any() else 0.0,
        "every_criterion_predicted": float(predicted[:, :-1].all(axis=1).mean()),
        "criteria_predicted": float(predicted[:, :-1].sum(axis=1).mean()),
        "criteria_true": float(true[:, :-1].sum(axis=1).mean()),
        "left_out": int((~known).sum()),
        "incomplete": int((known & ~complete).sum()),
    }


def _sets(yes: NDArray[np.bool_], pairs: PostCriterionPairs) -> NDArray[np.bool_]:
    """Return the labels of each post, (posts, criteria + 1), with 'none' last."""
    names, which = np.unique(pairs.criterion, return_inverse=True)
    posts, row = np.unique(pairs.post_id, return_inverse=True)
    table = np.zeros((len(posts), len(names) + 1), dtype=bool)
    table[row[yes], which[yes]] = True
    table[:, -1] = ~table[:, :-1].any(axis=1)
    return table


def _with_known_sets(complete: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the posts whose sets count, (posts,): the complete ones, or all of them if none is complete."""
    return complete if complete.any() else np.ones_like(complete)


def _complete(pairs: PostCriterionPairs) -> NDArray[np.bool_]:
    """Return which posts, (posts,), have a pair of each criterion.

    A pair is not an example if it is unknown whether, or where, the post meets the criterion (see `Agent.examples`).
    Without it the post would seem to meet fewer criteria than it does.
    """
    complete: NDArray[np.bool_] = np.unique(pairs.post_id, return_counts=True)[1] == len(set(pairs.criterion))
    return complete


def post_statistics(
    labels: Labels, pairs: LabelledPostCriterionPairs
) -> tuple[NDArray[np.float64], ScoreFromStatistics]:
    """Return statistics of each (post, criterion) pair for intervals, as `Agent.sufficient_statistics` does.

    Args:
        labels: The predictions about all (post, criterion) pairs.
        pairs: These pairs.

    Returns:
        The statistics of each pair, (n, columns), and the function that turns their sums into scores.
    """
    weight = np.ones(len(pairs.label))
    statistics = binary_statistics(labels.probability, labels.yes, pairs.label, pairs.criterion, weight)
    return statistics, binary_scores_from_statistics


def set_statistics(
    yes: NDArray[np.bool_], pairs: LabelledPostCriterionPairs
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return each post's hits, errors and truths by label, the criteria predicted, and its group.

    Args:
        yes: (n,) the predictions about all (post, criterion) pairs.
        pairs: These pairs.

    Returns:
        (posts, 3 labels + 3) for `set_scores_from_statistics`, and (posts,), without posts that `score_sets` leaves
        out. The last columns are whether every criterion is predicted, how many are, and 1.
    """
    known = _with_known_sets(_complete(pairs))
    predicted, true = _sets(yes, pairs)[known], _sets(pairs.label == 1, pairs)[known]
    _, first = np.unique(pairs.post_id, return_index=True)
    criteria = predicted[:, :-1]
    counts = np.stack([criteria.all(axis=1), criteria.sum(axis=1), np.ones(len(criteria))], axis=1)
    return np.hstack([predicted & true, predicted ^ true, true, counts]), pairs.group[first][known]


def set_scores_from_statistics(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the scores `SET_SCORES` of the sets of criteria, (samples, 4), as `score_sets` defines them.

    Args:
        sums: (samples, 3 labels + 3) the summed statistics of `set_statistics`.

    Returns:
        The scores of each sample; F1-macro is that over the labels that a post of the sample truly has.
    """
    hits, wrong, true = np.split(sums[:, :-3], 3, axis=1)
    every, predicted, posts = sums[:, -3:].T
    occurs = true > 0
    macro = safe_divide((f1(hits, wrong) * occurs).sum(axis=1), occurs.sum(axis=1), np.nan)
    micro = f1(hits.sum(axis=1), wrong.sum(axis=1))
    return np.stack([macro, micro, *(safe_divide(each, posts, np.nan) for each in (every, predicted))], axis=1)
