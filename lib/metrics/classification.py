"""Scores of a binary classifier over (criterion, text) pairs; docs/metrics.md has the formulas.

Every function takes weights, which say how many pairs of a population each pair stands for.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lib.metrics.calibration import (
    BINS,
    calibration_error_of_yes,
    calibration_gaps,
    classwise_ece,
    ece_from_gaps,
    expected_calibration_error,
)

Floats = NDArray[np.float64]
CELLS = ("true_negative", "false_positive", "false_negative", "true_positive")
# The scores of `binary_scores_from_statistics`, in their order.
SCORES_FROM_STATISTICS = (
    "f1_macro",
    "ece",
    "f1_micro",
    "precision",
    "sensitivity",
    "f1_yes_no",
    "yes_rate",
    "mean_probability",
    "brier_skill",
)
# The last columns of statistics are the probability of yes, its squared error, and the calibration gaps.
TAIL = 2 + BINS


def binary_scores(
    probability: Floats,
    predicted: NDArray[np.bool_],
    label: NDArray[np.int64],
    criterion: Sequence[str],
    weight: Floats,
) -> dict[str, Any]:
    """Score the predictions of a binary classifier.

    Args:
        probability: (n,), the probability that the criterion is met.
        predicted: (n,), whether the answer is yes.
        label: (n,), 1 where the criterion is met, else 0.
        criterion: n names of criteria.
        weight: (n,), the number of pairs that each one stands for.

    Returns:
        `f1_macro` (mean over the criteria of the F1 of yes), `f1_micro` (F1 of yes over all pairs), `f1_yes_no` (mean
        of the F1 of yes and of no over all pairs), `precision`, `sensitivity`, `yes_rate`, `prevalence`,
        `mean_probability` (of yes), `accuracy`, the scores of `probability_scores`, `ece` (top-label),
        `classwise_ece`, `ece_of_yes`, `confusion` (weighted counts), `without_positive` (criteria that are left out
        of `f1_macro`, because no pair of the part is positive) and `per_criterion`.

    Raises:
        ValueError: There is nothing to score, or a probability is not finite.
    """
    probabilistic = probability_scores(probability, label, weight)
    names = np.asarray(criterion)
    counts = confusion(label, predicted, weight)
    per_criterion = {
        str(name): _criterion_scores(probability[own], predicted[own], label[own], weight[own])
        for name in np.unique(names)
        for own in [names == name]
    }
    confidence = np.where(predicted, probability, 1 - probability)
    total = float(weight.sum())
    return {
        "f1_macro": mean_f1(per_criterion),
        "f1_micro": f1_of_yes(counts),
        "f1_yes_no": (f1_of_yes(counts) + f1_of_no(counts)) / 2,
        "precision": precision(counts),
        "sensitivity": sensitivity(counts),
        "yes_rate": float(weight[predicted].sum() / total),
        "prevalence": float(weight[label == 1].sum() / total),
        "mean_probability": float((weight * probability).sum() / total),
        "accuracy": (counts["true_negative"] + counts["true_positive"]) / total,
        **probabilistic,
        "ece": expected_calibration_error(confidence, predicted == (label == 1), weight),
        "classwise_ece": classwise_ece(probability, label, names, weight),
        "ece_of_yes": calibration_error_of_yes(probability, predicted, label, weight),
        "confusion": counts,
        "without_positive": [name for name, own in per_criterion.items() if own["f1"] is None],
        "per_criterion": per_criterion,
    }


def _criterion_scores(
    probability: Floats, predicted: NDArray[np.bool_], label: NDArray[np.int64], weight: Floats
) -> dict[str, Any]:
    counts = confusion(label, predicted, weight)
    positive = bool((label == 1).any())
    return {
        "f1": f1_of_yes(counts) if positive else None,
        "precision": precision(counts),
        "sensitivity": sensitivity(counts),
        "average_precision": weighted_average_precision(probability, label, weight) if positive else None,
        "positives": int(label.sum()),
        "confusion": counts,
    }


def mean_f1(per_criterion: Mapping[str, Mapping[str, Any]]) -> float:
    """Return the mean of the criteria's `f1`, without those that have none; 0 if none has."""
    known = [own["f1"] for own in per_criterion.values() if own["f1"] is not None]
    return float(np.mean(known)) if known else 0.0


def probability_scores(probability: Floats, label: NDArray[np.int64], weight: Floats) -> dict[str, float | None]:
    """Compute the scores that depend on the probabilities only, and not on the decisions.

    Args:
        probability: (n,), the probability of class 1.
        label: (n,), the true class, 0 or 1.
        weight: (n,), the number of pairs that each one stands for.

    Returns:
        `auroc`, `average_precision` and `brier_skill`, which are None if only one class is present, `log_loss` (in
        nats) and `brier`. The skill compares with predicting the prevalence everywhere.

    Raises:
        ValueError: There is nothing to score, or a probability is not finite.
    """
    if not len(label):
        raise ValueError("no predictions to score")
    if not np.isfinite(probability).all():
        raise ValueError("a probability is not finite")
    both = len(np.unique(label)) == 2
    share = float(np.average(label, weights=weight))
    brier = float(np.average((probability - label) ** 2, weights=weight))
    right = np.clip(np.where(label == 1, probability, 1 - probability), np.finfo(np.float64).eps, 1)
    return {
        "auroc": _auroc(probability, label, weight) if both else None,
        "average_precision": weighted_average_precision(probability, label, weight) if both else None,
        "log_loss": float(np.average(-np.log(right), weights=weight)),
        "brier": brier,
        "brier_skill": 1 - brier / (share * (1 - share)) if both else None,
    }


def weighted_average_precision(probability: Floats, label: NDArray[np.int64], weight: Floats) -> float:
    """Return the average precision, Σ (R_k − R_k−1) P_k over the distinct probabilities in descending order.

    Args:
        probability: (n,), the probability of class 1.
        label: (n,), the true class, 0 or 1; at least one is 1.
        weight: (n,), the number of pairs that each one stands for.

    Returns:
        The average precision, in [0, 1].
    """
    true, false = _cumulative_counts(probability, label, weight)
    gained = np.diff(true, prepend=0.0)
    return float((gained * true / (true + false)).sum() / true[-1])


def _auroc(probability: Floats, label: NDArray[np.int64], weight: Floats) -> float:
    true, false = _cumulative_counts(probability, label, weight)
    area = np.trapezoid(np.append(0.0, true), np.append(0.0, false))
    return float(area / (true[-1] * false[-1]))


def _cumulative_counts(probability: Floats, label: NDArray[np.int64], weight: Floats) -> tuple[Floats, Floats]:
    """Return the weights of true and false positives at each distinct probability, in descending order."""
    order = np.argsort(-probability, kind="stable")
    last = np.append(np.flatnonzero(np.diff(probability[order])), len(order) - 1)
    weights, positive = weight[order], label[order] == 1
    return np.cumsum(weights * positive)[last], np.cumsum(weights * ~positive)[last]


def confusion(label: NDArray[np.int64], predicted: NDArray[np.bool_], weight: Floats) -> dict[str, float]:
    """Count true and false positives and negatives.

    Args:
        label: (n,), the true class, 0 or 1.
        predicted: (n,), whether class 1 is predicted.
        weight: (n,), the number of pairs that each one stands for.

    Returns:
        The weight of true_negative, false_positive, false_negative and true_positive.
    """
    counts = np.bincount(2 * label + predicted, weight, minlength=4).tolist()
    return dict(zip(CELLS, counts, strict=True))


def f1_of_yes(counts: Mapping[str, float]) -> float:
    """Return the F1 of yes from the counts of `confusion`, 0 if yes is neither present nor predicted."""
    return float(f1(counts["true_positive"], counts["false_positive"] + counts["false_negative"]))


def f1_of_no(counts: Mapping[str, float]) -> float:
    """Return the F1 of no from the counts of `confusion`, 0 if no is neither present nor predicted."""
    return float(f1(counts["true_negative"], counts["false_positive"] + counts["false_negative"]))


def f1(hits: Floats | float, errors: Floats | float) -> Floats:
    """Return 2 hits / (2 hits + errors), elementwise, and 0 where both are 0.

    Args:
        hits: Number of true positives.
        errors: Number of false positives and false negatives, of the same shape.

    Returns:
        The F1 of each element.
    """
    return safe_divide(np.asarray(2 * hits), np.asarray(2 * hits + errors))


def precision(counts: Mapping[str, float]) -> float | None:
    """Return the precision of yes from the counts of `confusion`, None if yes is never predicted."""
    yes = counts["true_positive"] + counts["false_positive"]
    return counts["true_positive"] / yes if yes > 0 else None


def sensitivity(counts: Mapping[str, float]) -> float | None:
    """Return the sensitivity (recall of yes) from the counts of `confusion`, None if nothing is positive."""
    positive = counts["true_positive"] + counts["false_negative"]
    return counts["true_positive"] / positive if positive > 0 else None


def binary_statistics(
    probability: Floats,
    predicted: NDArray[np.bool_],
    label: NDArray[np.int64],
    criterion: Sequence[str],
    weight: Floats,
) -> Floats:
    """Return each pair's cell of the confusion matrix, by criterion, its probability and how wrong that is.

    Args:
        probability: (n,), the probability that the criterion is met.
        predicted: (n,), whether the answer is yes.
        label: (n,), 1 where the criterion is met, else 0.
        criterion: n names of criteria.
        weight: (n,), the number of pairs that each one stands for.

    Returns:
        (n, 4 criteria + 2 + bins), all times the weight: a one-hot cell (true negative, false positive, false
        negative, true positive) of each criterion, in alphabetical order, and the columns of
        `probability_statistics`.
    """
    names, which = np.unique(criterion, return_inverse=True)
    confidence = np.where(predicted, probability, 1 - probability)
    cells = np.eye(4 * len(names))[4 * which + 2 * label + predicted]
    tail = probability_statistics(probability, label, confidence, predicted == (label == 1))
    return np.hstack([cells, tail]) * weight[:, None]


def probability_statistics(
    probability: Floats, label: NDArray[np.int64], confidence: Floats, right: NDArray[np.bool_]
) -> Floats:
    """Return each pair's probability of yes, its squared error, and its calibration gap.

    Args:
        probability: (n,), the probability that the criterion is met.
        label: (n,), 1 where the criterion is met, else 0.
        confidence: (n,), the probability of what is predicted.
        right: (n,), whether that is right.

    Returns:
        (n, 2 + bins): the probability, its squared error, and the gaps of `calibration_gaps`.
    """
    errors = (probability - label) ** 2
    return np.hstack([probability[:, None], errors[:, None], calibration_gaps(confidence, right)])


def binary_scores_from_statistics(sums: Floats) -> Floats:
    """Return the scores named in `SCORES_FROM_STATISTICS`, (samples, 9).

    They are those of `binary_scores`. A criterion without a positive in a sample is left out of that sample's
    F1-macro. A score that a sample leaves undefined is NaN.

    Args:
        sums: (samples, 4 criteria + 2 + bins) the summed statistics of `binary_statistics`.

    Returns:
        The scores of each sample.
    """
    cells = sums[:, :-TAIL].reshape(len(sums), -1, 4)
    per_criterion = f1(cells[:, :, 3], cells[:, :, 1] + cells[:, :, 2])
    positive = cells[:, :, 2] + cells[:, :, 3] > 0
    macro = safe_divide((per_criterion * positive).sum(axis=1), positive.sum(axis=1), np.nan)
    negative, false, missed, hit = cells.sum(axis=1).T
    yes, no = f1(hit, false + missed), f1(negative, false + missed)
    total = cells.sum(axis=(1, 2))
    rates = [safe_divide(hit, hit + false, np.nan), safe_divide(hit, hit + missed, np.nan), (yes + no) / 2]
    ece, *of_probability = probability_scores_from_statistics(sums[:, -TAIL:], hit + missed, total)
    return np.stack([macro, ece, yes, *rates, safe_divide(hit + false, total, np.nan), *of_probability], axis=1)


def probability_scores_from_statistics(tail: Floats, positives: Floats, total: Floats) -> list[Floats]:
    """Return the ECE, the mean probability and the Brier skill of each sample, each (samples,).

    Args:
        tail: (samples, 2 + bins), the summed statistics of `probability_statistics`.
        positives: (samples,), the weight of the positive pairs.
        total: (samples,), the weight of all pairs.

    Returns:
        The three scores. The skill is NaN where all pairs are of one class.
    """
    share = safe_divide(positives, total, np.nan)
    skill = 1 - safe_divide(safe_divide(tail[:, 1], total, np.nan), share * (1 - share), np.nan)
    return [ece_from_gaps(tail[:, 2:], total), safe_divide(tail[:, 0], total, np.nan), skill]


def safe_divide(numerator: Floats, denominator: Floats | NDArray[np.int64], undefined: float = 0.0) -> Floats:
    """Return numerator / denominator, elementwise.

    Args:
        numerator: The numbers to divide.
        denominator: Numbers of at least 0, or NaN, to divide by, of the same shape.
        undefined: The quotient where the denominator is 0 or NaN.

    Returns:
        The quotient of each element.
    """
    found: Floats = np.divide(
        numerator, denominator, out=np.full(np.shape(numerator), undefined), where=np.asarray(denominator) > 0
    )
    return found
