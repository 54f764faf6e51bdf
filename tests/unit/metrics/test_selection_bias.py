"""The score of the best of several candidates is corrected for its choice."""

import numpy as np
import pytest

from lib.metrics.selection_bias import correct_selection_bias


def scorer(of_group: np.ndarray):
    return lambda drawn: drawn @ of_group / drawn.sum(axis=1)


def test_the_best_of_equal_candidates_is_corrected_to_what_they_are() -> None:
    rng = np.random.default_rng(0)
    plain, corrected = [], []
    for repetition in range(40):
        candidates = [scorer(rng.normal(0.5, 0.2, 60)) for _ in range(10)]
        found = correct_selection_bias(candidates, 60, seed=repetition)
        plain.append(found.plain)
        corrected.append(found.value)
        assert found.low < found.value < found.high
    assert np.mean(plain) > 0.53
    assert abs(np.mean(corrected) - 0.5) < 0.01


def test_a_candidate_that_is_clearly_best_needs_no_correction() -> None:
    rng = np.random.default_rng(0)
    candidates = [scorer(rng.normal(mean, 0.05, 200)) for mean in (0.4, 0.8, 0.5)]
    found = correct_selection_bias(candidates, 200, seed=1)
    assert found.value == pytest.approx(found.plain, abs=0.002) and found.plain == pytest.approx(0.8, abs=0.01)


def test_samples_without_a_score_are_left_out() -> None:
    assert correct_selection_bias([lambda drawn: np.full(len(drawn), np.nan)], 5, seed=0) is None
