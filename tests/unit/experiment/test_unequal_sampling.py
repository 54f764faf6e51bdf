import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.experiment.unequal_sampling import inclusion_probabilities, systematic_sample


@given(seed=st.integers(0, 99), n=st.integers(5, 200), share=st.floats(0.05, 0.9))
def test_a_sample_has_its_size_and_likely_pairs_are_drawn_more_often(seed: int, n: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    yes, size = rng.beta(0.3, 3, n), max(1, int(share * n))
    chance = inclusion_probabilities(yes, size)
    assert chance.sum() == pytest.approx(size) and (chance > 0).all() and (chance <= 1).all()
    assert abs(len(systematic_sample(chance, rng)) - size) <= 1
    order = np.argsort(np.minimum(yes, 1 - yes))
    assert (np.diff(chance[order]) > -1e-9).all()


def test_weighted_sums_are_unbiased_and_less_noisy_than_those_of_an_even_sample() -> None:
    """The weighted number of false positives is estimated. They are likely where the estimate is high."""
    rng = np.random.default_rng(0)
    estimate = rng.beta(0.2, 6, 5000)
    false = rng.random(5000) < estimate
    found: dict[str, list[float]] = {"unequal": [], "even": []}
    for _ in range(300):
        for name, chance in (("unequal", inclusion_probabilities(estimate, 800)), ("even", np.full(5000, 0.16))):
            drawn = systematic_sample(chance, rng)
            found[name].append(float((false[drawn] / chance[drawn]).sum()))
    assert np.mean(found["unequal"]) == pytest.approx(false.sum(), rel=0.03)
    assert np.std(found["unequal"]) < 0.7 * np.std(found["even"])
