"""Words that negate."""

import pytest

from lib.corpus.negators import negators

WORDS = (
    "not Never don't didn’t cannot nothing without isnt mustnt neednt shant mightnt noone nope havnt w/o"
    " don`t don´t donʼt don‘t no-one"
)


@pytest.mark.parametrize("word", [*WORDS.split(), "no one"])
def test_negators_are_found_as_whole_words(word: str) -> None:
    text = f"Well, {word} in the notes of another nobody's noon"
    assert text[slice(*negators(text)[0])] == word
    assert len(negators(text)) == 2, "and nobody, but neither notes, another nor noon"
