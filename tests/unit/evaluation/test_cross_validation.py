"""The choice between candidates of Stage C."""

import numpy as np

from lib.evaluation.cross_validation import compare_folds, is_as_good


def test_a_significantly_worse_candidate_is_not_as_good_as_the_best() -> None:
    rng = np.random.default_rng(0)
    fold = rng.normal(0.6, 0.05, 30)
    best, worse = fold + rng.normal(0, 0.004, (2, 30)) + [[0.0], [-0.015]]
    assert compare_folds(best, worse, ratio=1 / 4)["significant"]
    assert not is_as_good(worse, best, ratio=1 / 4)
    noisy = best - 0.002 + rng.normal(0, 0.01, 30)
    assert is_as_good(noisy, best, ratio=1 / 4) and is_as_good(best, best, ratio=1 / 4)
