"""Scores of a binary classifier over (criterion, text) pairs.

scikit-learn takes two seconds to import; nothing needs it before the first epoch is over.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lib.metrics.calibration import expected_calibration_error


def score(
    probability: NDArray[np.float64], predicted: NDArray[np.bool_], label: NDArray[np.int64], criterion: Sequence[str]
) -> dict[str, Any]:
    """Score predictions.

    probability: (n,) of class 1. predicted: (n,) the decisions. label: (n,) in {0, 1}. criterion: (n,) names.
    Returns f1_macro, ece, accuracy, confusion, those of `probability_scores`, and per_criterion: F1-macro and
    confusion within the criterion. Raises ValueError if there is nothing to score or a probability is not finite.
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
    """Return auroc, average_precision, log_loss and brier of probabilities, whatever is decided on them.

    AUROC and average precision are None where only one class is present. Raises ValueError if there is nothing to
    score or a probability is not finite.
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
    """Mean of the F1 of both classes; a class that is neither present nor predicted counts 0."""
    from sklearn.metrics import f1_score

    return float(f1_score(label, predicted, labels=[0, 1], average="macro", zero_division=0.0))


def confusion(label: NDArray[np.int64], predicted: NDArray[np.int64]) -> dict[str, int]:
    """Count true and false positives and negatives."""
    counts = np.bincount(2 * label + predicted, minlength=4).tolist()
    return dict(zip(("true_negative", "false_positive", "false_negative", "true_positive"), counts, strict=True))
