import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as sk
from torchmetrics.classification import MulticlassCalibrationError, MulticlassF1Score

from lib.metrics.calibration import expected_calibration_error
from lib.metrics.classification import binary_scores


@settings(deadline=None, max_examples=50)
@given(probability=arrays(np.float64, st.integers(2, 60), elements=st.floats(0.001, 0.999)), seed=st.integers(0, 99))
def test_scores_agree_with_torchmetrics_and_scikit_learn(probability, seed: int) -> None:
    label = np.random.default_rng(seed).integers(0, 2, len(probability))
    found = binary_scores(probability, probability > 0.5, label, ["A"] * len(label), np.ones(len(label)))
    both = torch.from_numpy(np.stack([1 - probability, probability], axis=1)).float()
    confidence = both.max(dim=1).values.double().numpy()
    on_edge = np.abs(confidence * 15 - np.round(confidence * 15)) < 1e-4
    if not on_edge.any():
        theirs = MulticlassCalibrationError(num_classes=2, n_bins=15)(both, torch.from_numpy(label))
        assert found["ece"] == pytest.approx(float(theirs), abs=1e-5)
    predicted = (probability > 0.5).astype(int)
    theirs = MulticlassF1Score(num_classes=2, average="macro")(torch.from_numpy(predicted), torch.from_numpy(label))
    if len(set(label) | set(predicted)) == 2:
        assert found["f1_yes_no"] == pytest.approx(float(theirs), abs=1e-6)
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(label, predicted))
    assert found["brier"] == pytest.approx(np.mean((probability - label) ** 2))
    if len(set(label)) == 2:
        assert found["auroc"] == pytest.approx(sk.roc_auc_score(label, probability))
        assert found["average_precision"] == pytest.approx(sk.average_precision_score(label, probability))
        assert found["f1_micro"] == pytest.approx(sk.f1_score(label, predicted))
    else:
        assert found["auroc"] is None and found["average_precision"] is None
    assert 0 <= found["ece"] <= 1


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 999))
def test_weights_count_as_repetitions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 30))
    probability, label = rng.random(n).round(2), rng.integers(0, 2, n)
    criterion, times = rng.choice(["A", "B"], n), rng.integers(1, 4, n)
    again = np.repeat(np.arange(n), times)
    weighted = binary_scores(probability, probability > 0.5, label, criterion.tolist(), times.astype(float))
    repeated = binary_scores(
        probability[again], probability[again] > 0.5, label[again], criterion[again].tolist(), np.ones(len(again))
    )
    for name, value in weighted.items():
        if isinstance(value, float) and name != "ece_of_yes":  # bins of equal mass may part at other places
            assert value == pytest.approx(repeated[name]), name
    assert weighted["confusion"] == pytest.approx(repeated["confusion"])
    for name, own in weighted["per_criterion"].items():
        assert own["f1"] == pytest.approx(repeated["per_criterion"][name]["f1"])


def test_scores_by_hand() -> None:
    label, predicted = np.array([1, 1, 0, 0, 0]), np.array([1, 0, 0, 0, 1]) == 1
    probability = np.array([0.9, 0.2, 0.1, 0.3, 0.7])
    found = binary_scores(probability, predicted, label, ["A", "A", "A", "B", "B"], np.ones(5))
    table = {"true_negative": 1, "false_positive": 0, "false_negative": 1, "true_positive": 1}
    assert found["per_criterion"]["A"]["f1"] == pytest.approx(2 / 3)
    assert found["per_criterion"]["A"]["confusion"] == table and found["per_criterion"]["A"]["positives"] == 2
    assert found["confusion"] == {"true_negative": 2, "false_positive": 1, "false_negative": 1, "true_positive": 1}
    assert found["f1_yes_no"] == pytest.approx((1 / 2 + 2 / 3) / 2) and found["f1_micro"] == 0.5
    assert (found["precision"], found["sensitivity"], found["yes_rate"]) == (0.5, 0.5, pytest.approx(0.4))


def test_a_criterion_without_a_positive_is_left_out_of_the_average_and_named() -> None:
    label, predicted = np.array([1, 0, 0, 0]), np.array([True, False, True, False])
    found = binary_scores(predicted * 0.8, predicted, label, ["A", "A", "B", "B"], np.ones(4))
    assert found["f1_macro"] == 1 and found["without_positive"] == ["B"]
    assert found["per_criterion"]["B"]["f1"] is None and found["f1_micro"] == pytest.approx(2 / 3)
    nothing = binary_scores(np.zeros(2), np.zeros(2, dtype=bool), np.zeros(2, dtype=int), ["A", "B"], np.ones(2))
    assert nothing["f1_macro"] == 0 and nothing["precision"] is None and nothing["ece_of_yes"] == 0


def test_empty_or_invalid_predictions_are_refused() -> None:
    with pytest.raises(ValueError, match="no predictions"):
        binary_scores(np.array([]), np.array([], dtype=bool), np.array([], dtype=int), [], np.array([]))
    with pytest.raises(ValueError, match="not finite"):
        binary_scores(np.array([np.nan]), np.array([True]), np.array([1]), ["A"], np.ones(1))
    with pytest.raises(ValueError, match="no predictions"):
        expected_calibration_error(np.array([]), np.array([], dtype=bool))
    with pytest.raises(ValueError, match="must both be"):
        expected_calibration_error(np.array([0.5]), np.array([True, False]))
