import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as sk
from torchmetrics.classification import MulticlassCalibrationError, MulticlassF1Score

from lib.metrics.calibration import expected_calibration_error
from lib.metrics.classification import f1_macro, score


@settings(deadline=None, max_examples=50)
@given(probability=arrays(np.float64, st.integers(2, 60), elements=st.floats(0.001, 0.999)), seed=st.integers(0, 99))
def test_scores_agree_with_torchmetrics_and_scikit_learn(probability, seed: int) -> None:
    label = np.random.default_rng(seed).integers(0, 2, len(probability))
    found = score(probability, probability > 0.5, label, ["A"] * len(label))
    both = torch.from_numpy(np.stack([1 - probability, probability], axis=1)).float()
    confidence = both.max(dim=1).values.double().numpy()
    on_edge = np.abs(confidence * 15 - np.round(confidence * 15)) < 1e-4
    if not on_edge.any():
        theirs = MulticlassCalibrationError(num_classes=2, n_bins=15)(both, torch.from_numpy(label))
        assert found["ece"] == pytest.approx(float(theirs), abs=1e-5)
    predicted = (probability > 0.5).astype(int)
    theirs = MulticlassF1Score(num_classes=2, average="macro")(torch.from_numpy(predicted), torch.from_numpy(label))
    if len(set(label) | set(predicted)) == 2:
        assert found["f1_macro"] == pytest.approx(float(theirs), abs=1e-6)
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(label, predicted))
    assert found["brier"] == pytest.approx(np.mean((probability - label) ** 2))
    if len(set(label)) == 2:
        assert found["auroc"] == pytest.approx(sk.roc_auc_score(label, probability))
    else:
        assert found["auroc"] is None and found["average_precision"] is None
    assert 0 <= found["ece"] <= 1


def test_f1_and_confusion_by_hand() -> None:
    label, predicted = np.array([1, 1, 0, 0, 0]), np.array([1, 0, 0, 0, 1])
    assert f1_macro(label, predicted) == pytest.approx((1 / 2 + 2 / 3) / 2)
    probability = np.array([0.9, 0.2, 0.1, 0.3, 0.7])
    found = score(probability, probability > 0.5, label, ["A", "A", "A", "B", "B"])
    table = {"true_negative": 1, "false_positive": 0, "false_negative": 1, "true_positive": 1}
    assert found["per_criterion"]["A"] == {"f1_macro": pytest.approx((2 / 3 + 2 / 3) / 2), "confusion": table}
    assert found["confusion"] == {"true_negative": 2, "false_positive": 1, "false_negative": 1, "true_positive": 1}
    assert found["per_criterion"]["B"]["f1_macro"] == pytest.approx(1 / 3)


def test_empty_or_invalid_predictions_are_refused() -> None:
    with pytest.raises(ValueError, match="no predictions"):
        score(np.array([]), np.array([], dtype=bool), np.array([], dtype=int), [])
    with pytest.raises(ValueError, match="not finite"):
        score(np.array([np.nan]), np.array([True]), np.array([1]), ["A"])
    with pytest.raises(ValueError, match="no predictions"):
        expected_calibration_error(np.array([]), np.array([], dtype=bool))
    with pytest.raises(ValueError, match="must both be"):
        expected_calibration_error(np.array([0.5]), np.array([True, False]))
