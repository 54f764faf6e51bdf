"""Words that negate."""

import pytest

from lib.corpus.negators import negators

WORDS = (
    "not Never don't didn’t cannot nothing without isnt mustnt neednt shant mightnt noone nope havnt w/o"
    " don`t don´t donʼt don‘t don′t no-one donot w/out dunno nah"
    " would'nt did’nt unable nvr nothin nver nuthin zero lack lacks denies absence dosent doesent dosnt dnt didn;t"
)


# As tokenizers cut them, and as keyboards without an apostrophe give them.
CUT = ("no one", "do n't", "didn 't", "didn ’ t", "can t", "don t", "ca n't", "wo n’t", "do nt", "Does n 't")


@pytest.mark.parametrize("word", [*WORDS.split(), *CUT])
def test_negators_are_found_as_whole_words(word: str) -> None:
    text = f"Well, {word} in the notes of another nobody's noon"
    assert text[slice(*negators(text)[0])] == word
    assert len(negators(text)) == 2, "and nobody, but neither notes, another nor noon"


@pytest.mark.parametrize("text", ["I can take it", "a don too", "he did nth", "doing t", "wont to can tea"])
def test_words_that_only_look_like_cut_negators_are_none(text: str) -> None:
    assert [text[a:b] for a, b in negators(text)] == (["wont"] if "wont" in text else [])
