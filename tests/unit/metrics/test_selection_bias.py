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


def f1_macro(truth: np.ndarray, answers: np.ndarray):
    """Return the F1 of rows of (groups, criteria), as a mean over the criteria with a positive."""

    def score(drawn: np.ndarray) -> np.ndarray:
        found, size = drawn @ (truth * answers), drawn @ (truth + answers)
        with np.errstate(invalid="ignore"):
            of_criterion = np.where(drawn @ truth > 0, 2 * found / size, np.nan)
        return np.nanmean(of_criterion, axis=1)

    return score


def test_a_single_candidate_needs_no_correction_whatever_the_score() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random((150, 6)) < 0.08).astype(int)
    answers = np.where(rng.random(truth.shape) < 0.9, truth, 1 - truth)
    found = correct_selection_bias([f1_macro(truth, answers)], 150, seed=1)
    assert found.value == pytest.approx(found.plain) and found.low < found.value < found.high


def test_the_f1_of_rare_criteria_is_corrected_for_the_choice_alone() -> None:
    rng = np.random.default_rng(0)
    plain, corrected, each = [], [], []
    for repetition in range(30):
        truth = (rng.random((150, 6)) < 0.08).astype(int)
        answers = [np.where(rng.random(truth.shape) < 0.9, truth, 1 - truth) for _ in range(8)]
        found = correct_selection_bias([f1_macro(truth, a) for a in answers], 150, seed=repetition)
        plain.append(found.plain)
        corrected.append(found.value)
        each += [f1_macro(truth, a)(np.ones((1, 150)))[0] for a in answers]
    assert np.mean(plain) - np.mean(each) > 0.02
    assert abs(np.mean(corrected) - np.mean(each)) < 0.008


def test_a_candidate_that_is_clearly_best_needs_no_correction() -> None:
    rng = np.random.default_rng(0)
    candidates = [scorer(rng.normal(mean, 0.05, 200)) for mean in (0.4, 0.8, 0.5)]
    found = correct_selection_bias(candidates, 200, seed=1)
    assert found.value == pytest.approx(found.plain, abs=0.002) and found.plain == pytest.approx(0.8, abs=0.01)


def test_samples_without_a_score_are_left_out() -> None:
    assert correct_selection_bias([lambda drawn: np.full(len(drawn), np.nan)], 5, seed=0) is None
