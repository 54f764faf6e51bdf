import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lib.training.batches import evaluation_batches, training_batches


@given(
    lengths=st.lists(st.integers(1, 200), min_size=1, max_size=80), size=st.integers(1, 20), seed=st.integers(0, 9)
)
def test_every_example_is_in_one_batch(lengths: list[int], size: int, seed: int) -> None:
    index = np.arange(len(lengths)) + 7
    batches = training_batches(index, np.array(lengths), size, np.random.default_rng(seed))
    assert sorted(np.concatenate(batches).tolist()) == index.tolist()
    assert max(map(len, batches)) <= size
    pairs = np.stack([np.array(lengths) % 3 + 1, lengths], axis=1)
    packed = list(evaluation_batches(pairs, 256))
    assert sorted(np.concatenate(packed).tolist()) == list(range(len(lengths)))
    assert all(len(b) == 1 or pairs[b].sum() <= 256 for b in packed)
    assert all((pairs[b] == pairs[b[0]]).all() for b in packed)


def test_batches_are_of_similar_length() -> None:
    lengths = np.random.default_rng(0).integers(5, 100, 400)
    batches = training_batches(np.arange(400), lengths, 16, np.random.default_rng(1))
    padded = sum(len(b) * lengths[b].max() for b in batches)
    assert padded < 1.25 * lengths.sum()
