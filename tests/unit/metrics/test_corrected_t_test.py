import math

import numpy as np
import pytest
from scipy import stats

from lib.metrics.corrected_t_test import corrected_resampled_t_test, corrected_standard_error


def test_the_corrected_t_test_by_hand() -> None:
    first, second = np.array([0.8, 0.7, 0.9]), np.array([0.7, 0.7, 0.6])
    difference = first - second
    error = math.sqrt((1 / 3 + 0.5) * difference.var(ddof=1))
    found = corrected_resampled_t_test(first, second, 0.5)
    assert found.t == pytest.approx(difference.mean() / error)
    assert found.p == pytest.approx(2 * stats.t.sf(difference.mean() / error, df=2))
    plain = stats.ttest_rel(first, second)
    assert corrected_resampled_t_test(first, second, 0.0).p == pytest.approx(plain.pvalue)
    assert found.p > plain.pvalue
    assert corrected_resampled_t_test(first, first, 0.5).p == 1.0
    assert corrected_resampled_t_test(first, first - 0.25, 0.5).p < 1e-6
    with pytest.raises(ValueError, match="two folds"):
        corrected_standard_error(np.array([0.5]), 0.5)
