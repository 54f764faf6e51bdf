import numpy as np
import pytest

from lib.metrics.calibration import expected_calibration_error


def test_ece_by_hand() -> None:
    # Two of the ten bins are used: one of two is correct in (0.5, 0.6], and both are correct in (0.9, 1.0].
    confidence, correct = np.array([0.6, 0.6, 1.0, 1.0]), np.array([True, False, True, True])
    assert expected_calibration_error(confidence, correct, n_bins=10) == pytest.approx(0.5 * 0.1)


def test_bins_are_closed_on_the_right() -> None:
    # With two bins, 0.5 is alone in the first, so the error is |0.5 - 1| / 2 + |0.6 - 0| / 2.
    value = expected_calibration_error(np.array([0.5, 0.6]), np.array([True, False]), n_bins=2)
    assert value == pytest.approx(0.55)
    assert expected_calibration_error(np.array([0.0]), np.array([True]), n_bins=2) == pytest.approx(1.0)
