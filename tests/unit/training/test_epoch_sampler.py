import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lib.training.epoch_sampler import EpochSampler


@given(pool=st.integers(0, 40), per_epoch=st.integers(0, 40), seed=st.integers(0, 9))
def test_all_negatives_are_seen_before_any_is_seen_again(pool: int, per_epoch: int, seed: int) -> None:
    annotated, unannotated = np.arange(5), np.arange(100, 100 + pool)
    sampler = EpochSampler(annotated, unannotated, min(pool, per_epoch), seed)
    counts = np.zeros(pool, dtype=int)
    for epoch in range(1, 6):
        drawn = sampler.epoch(epoch)
        assert drawn[:5].tolist() == annotated.tolist() and len(drawn) == 5 + min(pool, per_epoch)
        counts += np.bincount(drawn[5:] - 100, minlength=pool)
        assert pool == 0 or counts.max() - counts.min() <= 1
    assert sampler.epoch(2).tolist() == sampler.epoch(2).tolist()
