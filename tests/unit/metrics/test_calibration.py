import numpy as np
import pytest

from lib.metrics.calibration import classwise_ece, expected_calibration_error


def test_ece_by_hand() -> None:
    # Two of the ten bins are used: one of two is correct in (0.5, 0.6], and both are correct in (0.9, 1.0].
    confidence, correct = np.array([0.6, 0.6, 1.0, 1.0]), np.array([True, False, True, True])
    assert expected_calibration_error(confidence, correct, n_bins=10) == pytest.approx(0.5 * 0.1)


def test_bins_are_closed_on_the_right() -> None:
    # With two bins, 0.5 is alone in the first, so the error is |0.5 - 1| / 2 + |0.6 - 0| / 2.
    value = expected_calibration_error(np.array([0.5, 0.6]), np.array([True, False]), n_bins=2)
    assert value == pytest.approx(0.55)
    assert expected_calibration_error(np.array([0.0]), np.array([True]), n_bins=2) == pytest.approx(1.0)


def test_the_class_wise_error_leaves_out_criteria_without_a_positive() -> None:
    probability, label = np.array([0.9, 0.3, 0.8, 0.5]), np.array([1, 0, 0, 0])
    criterion, weight = np.array(["A", "A", "B", "B"]), np.ones(4)
    assert classwise_ece(probability, label, criterion, weight) == pytest.approx((0.1 + 0.3) / 2)
    assert classwise_ece(probability, np.zeros(4, dtype=np.int64), criterion, weight) == 0
