"""Edits that change what a sentence denies."""

import pytest

from lib.augmentation.edits import FINE, diff_edits
from lib.augmentation.negation import groups_that_negate, negators


@pytest.mark.parametrize("word", ["not", "Never", "don't", "didn’t", "cannot", "nothing", "without", "isnt"])
def test_negators_are_found_as_whole_words(word: str) -> None:
    text = f"Well, {word} in the notes of another nobody's noon"
    assert text[slice(*negators(text)[0])] == word
    assert len(negators(text)) == 2, "and nobody, but neither notes, another nor noon"


@pytest.mark.parametrize(
    ("old", "new", "kept"),
    [
        ("I do not sleep well today", "I do sleep well today", False),
        ("I do not sleep well today", "I do now sleep well today", False),
        ("I am not happy at all today", "I am happy not at all today", False),
        ("I am happy but never calm", "calm am happy but never I", False),
        ("I always sleep well", "I never sleep well", False),
        ("I sleep well", "I don't sleep well", False),
        ("I do not sleep well today", "I do not rest well today", True),
        ("I am happy but never calm", "am I happy but never calm", True),
    ],
)
def test_an_edit_that_changes_a_negation_is_found(old: str, new: str, kept: bool) -> None:
    edits = diff_edits(old, new, FINE)
    assert edits and bool(groups_that_negate(edits, negators(old))) is not kept
