"""Scores of a binary classifier over (criterion, text) pairs.

scikit-learn is imported in the functions, because its import takes two seconds and nothing needs it before the end of
the first epoch.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lib.metrics.calibration import expected_calibration_error


def score(
    probability: NDArray[np.float64], predicted: NDArray[np.bool_], label: NDArray[np.int64], criterion: Sequence[str]
) -> dict[str, Any]:
    """Score the predictions of a binary classifier.

    Args:
        probability: (n,), the probability of class 1.
        predicted: (n,), whether class 1 is predicted.
        label: (n,), the true class, 0 or 1.
        criterion: n names of criteria.

    Returns:
        f1_macro, ece, accuracy, confusion, the scores of `probability_scores`, and per_criterion, which holds
        f1_macro and confusion of each criterion.

    Raises:
        ValueError: There is nothing to score, or a probability is not finite.
    """
    probabilistic = probability_scores(probability, label)
    decided = predicted.astype(np.int64)
    names = np.asarray(criterion)
    confidence = np.where(predicted, probability, 1 - probability)
    return {
        "f1_macro": f1_macro(label, decided),
        "ece": expected_calibration_error(confidence, decided == label),
        "accuracy": float((decided == label).mean()),
        "confusion": confusion(label, decided),
        **probabilistic,
        "per_criterion": {
            name: {
                "f1_macro": f1_macro(label[names == name], decided[names == name]),
                "confusion": confusion(label[names == name], decided[names == name]),
            }
            for name in sorted(set(names.tolist()))
        },
    }


def probability_scores(probability: NDArray[np.float64], label: NDArray[np.int64]) -> dict[str, float | None]:
    """Compute the scores that depend on the probabilities only, and not on the decisions.

    Args:
        probability: (n,), the probability of class 1.
        label: (n,), the true class, 0 or 1.

    Returns:
        auroc and average_precision, which are None if only one class is present, log_loss (in nats) and brier.

    Raises:
        ValueError: There is nothing to score, or a probability is not finite.
    """
    if not len(label):
        raise ValueError("no predictions to score")
    if not np.isfinite(probability).all():
        raise ValueError("a probability is not finite")
    from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

    both = len(np.unique(label)) == 2
    return {
        "auroc": float(roc_auc_score(label, probability)) if both else None,
        "average_precision": float(average_precision_score(label, probability)) if both else None,
        "log_loss": float(log_loss(label, probability, labels=[0, 1])),
        "brier": float(brier_score_loss(label, probability, labels=[0, 1])),
    }


def f1_macro(label: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """Return F1-macro, the mean of the F1 of both classes.

    Args:
        label: (n,), the true class, 0 or 1.
        predicted: (n,), the predicted class, 0 or 1.

    Returns:
        F1-macro, in [0, 1]. The F1 of a class that is neither present nor predicted is 0.
    """
    from sklearn.metrics import f1_score

    return float(f1_score(label, predicted, labels=[0, 1], average="macro", zero_division=0.0))


def confusion(label: NDArray[np.int64], predicted: NDArray[np.int64]) -> dict[str, int]:
    """Count true and false positives and negatives.

    Args:
        label: (n,), the true class, 0 or 1.
        predicted: (n,), the predicted class, 0 or 1.

    Returns:
        true_negative, false_positive, false_negative and true_positive.
    """
    counts = np.bincount(2 * label + predicted, minlength=4).tolist()
    return dict(zip(("true_negative", "false_positive", "false_negative", "true_positive"), counts, strict=True))
