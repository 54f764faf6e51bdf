import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lib.augmentation.edits import (
    FINE,
    WHOLE,
    Edit,
    apply_edits,
    count_altered_words,
    diff_edits,
    keep_groups,
    limit_edits,
    merge_edits,
    touches,
    words,
)

WORD = st.sampled_from(["I", "am", "tired", "don't", "sleep", "well", "today", "no", "more"])
TEXT = st.lists(st.tuples(WORD, st.sampled_from([" ", ", ", ". ", "  ", "\n"])), min_size=1, max_size=12).map(
    lambda parts: "".join(word + space for word, space in parts).strip()
)
TOKEN = st.sampled_from([FINE, WHOLE])


@given(TEXT, TEXT, TOKEN)
def test_the_edits_between_two_texts_turn_one_into_the_other(old: str, new: str, token) -> None:
    assert token.findall(apply_edits(old, diff_edits(old, new, token))) == token.findall(new)


@given(TEXT, TOKEN)
def test_white_space_alone_is_no_edit(text: str, token) -> None:
    assert diff_edits(text, " \n ".join(text.split(" ")), WHOLE) == []
    assert diff_edits(text, text, token) == []


@given(TEXT, st.lists(TEXT, min_size=1, max_size=3))
def test_edits_of_several_methods_are_merged_by_whole_words(text: str, others: list[str]) -> None:
    variants = [diff_edits(text, other, WHOLE) for other in others]
    edits, counts = merge_edits(variants)
    assert counts[0] == len(variants[0]), "the first method's edits are all taken"
    assert sum(counts) == len(edits)
    known = set(text.split()) | {word for other in others for word in other.split()}
    assert set(apply_edits(text, edits).split()) <= known, "no word is made of two"


def test_a_swap_stays_together_and_a_replacement_stands_alone() -> None:
    swapped = diff_edits("one two three four five six", "one three two four five six", FINE)
    assert len({edit.group for edit in swapped}) == 1 and len(swapped) == 2
    twice = diff_edits("a b c d e f g", "b a c d e g f", FINE)
    assert len({edit.group for edit in twice}) == 2
    replaced = diff_edits("one two three", "uno two tres", FINE)
    assert [edit.group for edit in replaced] == [0, 1]
    taken, counts = merge_edits([[Edit(0, 0, 3, "uno")], diff_edits("one two three", "two one three", WHOLE)])
    assert taken == [Edit(0, 0, 3, "uno")] and counts == [1, 0], "half a swap is none"


@given(TEXT, TEXT, st.floats(0.1, 0.4), st.integers(0, 99))
def test_limited_edits_change_no_more_than_the_share(old: str, new: str, share: float, seed: int) -> None:
    edits = diff_edits(old, new, FINE)
    kept = limit_edits(edits, old, share, np.random.default_rng(seed))
    assert kept == limit_edits(edits, old, share, np.random.default_rng(seed))
    groups = {edit.group for edit in kept}
    changed = sum(max(1, len(words(old[edit.start : edit.end]))) for edit in kept)
    assert kept == keep_groups(edits, groups)
    assert bool(kept) == bool(edits)
    assert len(groups) == 1 or not groups or changed <= max(1, np.ceil(share * len(words(old))))


def test_an_edit_inside_or_at_the_start_of_a_span_touches_it() -> None:
    text = "a panic attack came"  # [2, 14) is reserved
    assert touches(Edit(0, 8, 14, "x"), [(2, 14)]) and touches(Edit(0, 7, 7, " big"), [(2, 14)])
    assert not touches(Edit(0, 1, 1, " big"), [(2, 14)]) and not touches(Edit(0, 14, 19, ""), [(2, 14)])
    assert apply_edits(text, [Edit(0, 14, 19, "")]) == "a panic attack"


def test_altered_words_are_counted() -> None:
    assert count_altered_words("one two three", "one three two") == 2
    assert (
        count_altered_words("one two three", "one two three four")
        == count_altered_words("one two three", "one three")
        == 1
    )
    assert count_altered_words("one two three", "One,  two three!") == 1, "words only"
