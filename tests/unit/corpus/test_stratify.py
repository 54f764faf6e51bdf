import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.corpus.store import check_disjoint
from lib.corpus.stratify import split_folds, split_posts, stratify_groups
from lib.errors import UserError

corpora = st.lists(
    st.lists(st.tuples(st.sampled_from("ABC"), st.integers(0, 1)), max_size=5), min_size=5, max_size=40
).map(
    lambda posts: (
        {f"p{i}": i % 30 for i in range(len(posts))},
        pd.DataFrame(
            [(f"p{i}", c, s) for i, rows in enumerate(posts) for c, s in rows],
            columns=["post_id", "criterion", "status"],
        ),
    )
)


@settings(deadline=None)
@given(corpus=corpora, k=st.integers(2, 5), seed=st.integers(0, 1000))
def test_folds_partition_the_posts_of_any_corpus(corpus, k: int, seed: int) -> None:
    groups, rows = corpus
    parts = split_folds(rows, groups, k=k, repeat=0, seed=seed)
    # Each post has one part, so none is in two parts, and no part is empty.
    assert list(parts) == list(groups) and set(parts.values()) == set(range(k))
    table = pd.DataFrame({"post_id": list(groups), "group": list(groups.values()), "part": list(parts.values())})
    check_disjoint(table)
    assert all(parts[f"p{i}"] == parts[f"p{i + 30}"] for i in range(len(groups) - 30))


@settings(deadline=None)
@given(corpus=corpora, seed=st.integers(0, 1000))
def test_a_split_depends_on_nothing_but_its_arguments(corpus, seed: int) -> None:
    groups, rows = corpus
    assert split_posts(rows, groups, [0.8, 0.2], seed) == split_posts(rows, groups, [0.8, 0.2], seed)


def test_strata_are_split_in_the_requested_proportions() -> None:
    rng = np.random.default_rng(0)
    counts = rng.poisson([0.5, 1.0, 0.05, 0.3], size=(1000, 4)).astype(float)
    parts = stratify_groups(counts, [0.85, 0.15], seed=1)
    assert abs((parts == 1).mean() - 0.15) < 0.01
    share = counts[parts == 1].sum(axis=0) / counts.sum(axis=0)
    assert np.abs(share - 0.15).max() < 0.02


def test_repeats_differ_and_shares_are_checked() -> None:
    ids = [f"p{i}" for i in range(30)]
    rows = pd.DataFrame({"post_id": ids, "criterion": "A", "status": 1})
    first, second = (
        split_folds(rows, dict(zip(ids, range(30), strict=True)), k=3, repeat=r, seed=0) for r in range(2)
    )
    assert first != second
    with pytest.raises(ValueError, match="sum to 1"):
        stratify_groups(np.ones((3, 1)), [0.5, 0.4], 0)


@pytest.mark.parametrize(("ids", "groups"), [(["a", "b", "a"], [0, 1, 0]), (["a", "b", "c"], [0, 1, 0])])
def test_a_planted_leak_is_caught(ids: list[str], groups: list[int]) -> None:
    """The same post is in two parts, or two posts of one group are."""
    with pytest.raises(UserError, match="post 'a', or its group, is in two parts"):
        check_disjoint(pd.DataFrame({"post_id": ids, "group": groups, "part": ["development", "test", "test"]}))
