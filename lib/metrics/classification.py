"""Scores of a binary classifier over (criterion, sentence) pairs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, brier_score_loss, f1_score, log_loss, roc_auc_score

from lib.metrics.calibration import expected_calibration_error


def score(probability: NDArray[np.float64], label: NDArray[np.int64], criterion: Sequence[str]) -> dict[str, Any]:
    """Score predictions.

    probability: (n,) of class 1. label: (n,) in {0, 1}. criterion: (n,) names.
    Returns f1_macro, ece, accuracy, auroc, average_precision, log_loss, brier, per_criterion (F1-macro within the
    criterion, its confusion counts). AUROC and average precision are None where only one class is present.
    Raises ValueError if there is nothing to score or a probability is not finite.
    """
    if not len(label):
        raise ValueError("no predictions to score")
    if not np.isfinite(probability).all():
        raise ValueError("a probability is not finite")
    predicted = (probability > 0.5).astype(np.int64)
    both = len(np.unique(label)) == 2
    names = np.asarray(criterion)
    confidence = np.maximum(probability, 1 - probability)
    return {
        "f1_macro": f1_macro(label, predicted),
        "ece": expected_calibration_error(confidence, predicted == label),
        "accuracy": float((predicted == label).mean()),
        "auroc": float(roc_auc_score(label, probability)) if both else None,
        "average_precision": float(average_precision_score(label, probability)) if both else None,
        "log_loss": float(log_loss(label, probability, labels=[0, 1])),
        "brier": float(brier_score_loss(label, probability, labels=[0, 1])),
        "per_criterion": {
            name: _criterion(label[names == name], predicted[names == name]) for name in sorted(set(names.tolist()))
        },
    }


def f1_macro(label: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """Mean of the F1 of both classes; a class that is neither present nor predicted counts 0."""
    return float(f1_score(label, predicted, labels=[0, 1], average="macro", zero_division=0.0))


def _criterion(label: NDArray[np.int64], predicted: NDArray[np.int64]) -> dict[str, Any]:
    counts = np.bincount(2 * label + predicted, minlength=4).tolist()
    names = ("true_negative", "false_positive", "false_negative", "true_positive")
    return {"f1_macro": f1_macro(label, predicted), **dict(zip(names, counts, strict=True))}
