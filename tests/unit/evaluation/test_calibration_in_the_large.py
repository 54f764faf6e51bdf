"""Calibration in the large."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from lib.evaluation.calibration_in_the_large import shift_to_prevalence

PROBABILITIES = st.lists(st.floats(1e-6, 1 - 1e-6), min_size=1, max_size=50).map(np.array)


@given(PROBABILITIES, st.floats(0.001, 0.999))
def test_a_mean_far_from_the_prevalence_is_moved_to_it_and_another_is_left_alone(
    probability: np.ndarray, prevalence: float
) -> None:
    shift = shift_to_prevalence(probability, prevalence)
    ratio = probability.mean() / (1 - probability.mean()) / (prevalence / (1 - prevalence))
    if 0.5001 < ratio < 1.9999:
        assert shift == 0
    elif 0.4999 < ratio < 2.0001:
        assert np.isfinite(shift)
    else:
        assert expit(logit(probability) + shift).mean() == pytest.approx(prevalence, rel=1e-6)


@pytest.mark.parametrize("prevalence", [0.0, 1.0])
def test_one_class_moves_nothing(prevalence: float) -> None:
    assert shift_to_prevalence(np.array([0.3, 0.9]), prevalence) == 0


def test_a_model_that_says_yes_to_everything_is_moved_where_most_pairs_are_positive_too() -> None:
    assert shift_to_prevalence(np.full(1000, 0.958), 0.545) < -2
