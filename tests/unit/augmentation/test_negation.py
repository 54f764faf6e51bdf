"""Edits that change what a sentence denies."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.augmentation.edits import FINE, WHOLE, Edit, apply_edits, diff_edits, keep_groups, merge_edits, words
from lib.augmentation.negation import groups_that_negate, join_groups_that_negate
from lib.corpus.negators import negators


@pytest.mark.parametrize(
    ("old", "new", "kept"),
    [
        ("I do not sleep well today", "I do sleep well today", False),
        ("I do not sleep well today", "I do now sleep well today", False),
        ("I am not happy at all today", "I am happy not at all today", False),
        ("I am happy but never calm", "calm am happy but never I", False),
        ("I always sleep well", "I never sleep well", False),
        ("I sleep well", "I don't sleep well", False),
        ("no one saw me", "no two saw me", False),
        ("I don`t sleep well", "I doing`t sleep well", False),
        ("I sleep not at all now", "I not at all sleep soundly now", False),
        ("I sleep but never eat well", "I eat but never well today", False),
        ("I do not sleep well today", "I do not rest well today", True),
        ("I am happy but never calm", "am I happy but never calm", True),
    ],
)
def test_an_edit_that_changes_a_negation_is_found(old: str, new: str, kept: bool) -> None:
    edits = diff_edits(old, new, FINE)
    assert edits and bool(groups_that_negate(edits, old)) is not kept


some_words = st.lists(
    st.sampled_from(["a", "b", "c,", "not", "never", "no", "one", "don’t"]), min_size=1, max_size=9
).map(" ".join)


def between_negators(text: str) -> list[Counter[str]]:
    """Count the words before, between and after the negators of a text."""
    places = negators(text)
    starts, ends = [0, *(end for _, end in places)], [*(start for start, _ in places), len(text)]
    return [Counter(set(words(text[start:end])) - {"one"}) for start, end in zip(starts, ends, strict=True)]


def kept_edits(old: str, new: str) -> list[Edit]:
    fine = diff_edits(old, new, FINE)
    kept = keep_groups(fine, {edit.group for edit in fine} - groups_that_negate(fine, old))
    return join_groups_that_negate(diff_edits(old, apply_edits(old, kept), WHOLE), old)


@given(old=some_words, changed=st.lists(some_words, min_size=1, max_size=3))
def test_no_merge_of_edits_changes_a_negator_or_moves_a_word_past_one(old: str, changed: list[str]) -> None:
    each = [kept_edits(old, new) for new in changed]
    for edits in [*each, merge_edits(each)[0]]:
        result = apply_edits(old, edits)
        # 'no' may become 'no one', which denies as much.
        kept, given_ones = ([text[a:b].split()[0] for a, b in negators(text)] for text in (result, old))
        assert kept == given_ones
    for edits in each:
        before, after = between_negators(old), between_negators(apply_edits(old, edits))
        for i in range(len(before)):
            for j in range(len(before)):
                assert i == j or not (before[i] - after[i]) & (after[j] - before[j])
