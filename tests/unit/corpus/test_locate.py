import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.corpus.locate import locate_sentence

text = st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=30)


@given(before=text, sentence=text.filter(str.strip), after=text)
def test_a_sentence_is_found_where_it_stands(before: str, sentence: str, after: str) -> None:
    post = f"{before} {sentence} {after}"
    span = locate_sentence(sentence, post)
    assert span is not None and span.match == "exact"
    assert post[span.start : span.end] == sentence


@given(before=text, sentence=st.text(alphabet="abcäéß \tXYZ🙏’", min_size=1).filter(str.strip), after=text)
def test_case_space_and_unicode_form_do_not_matter(before: str, sentence: str, after: str) -> None:
    written = unicodedata.normalize("NFD", sentence.strip().swapcase()).replace(" ", " \n\t")
    span = locate_sentence(sentence.strip(), f"{before} {written} {after}")
    assert span is not None


def test_spans_refer_to_the_original_text() -> None:
    post = "Well…  I  CAN\u2019T\tsleep 🙏\u200d now. I can't sleep."
    span = locate_sentence("i can't sleep", post)
    assert span is not None and span.match == "normalised"
    assert post[span.start : span.end] == "I  CAN\u2019T\tsleep"


def test_repeated_sentences_have_their_own_places() -> None:
    post = "No. Yes. No. No."
    assert [locate_sentence("No.", post, k).start for k in range(4)] == [0, 9, 13, 13]  # type: ignore[union-attr]
    assert locate_sentence("Maybe.", post) is None
    assert locate_sentence("\u200d", post) is None


def test_a_sentence_is_not_found_within_a_word() -> None:
    post = "Sadly I am low. Unsad. I am so SAD. sad"
    places = [
        locate_sentence("Sad", post),
        locate_sentence("sad", post),
        locate_sentence("sad", post, 1),
        locate_sentence("ad", post),
    ]
    assert [place and (place.start, place.end) for place in places] == [(31, 34), (36, 39), (36, 39), None]
    assert locate_sentence("(sad", "very(sad)") is not None


@pytest.mark.parametrize(
    ("sentence", "post"),
    [
        ("I really do not want to die now.", "Hi. I really do want to die now. Bye."),
        ("I really do want to die now.", "Hi. I really do not want to die now. Bye."),
        ("I want to die.", "I don't want to die."),
        ("I feel happy with my friends.", "I never feel happy with my friends."),
        ("I do eat anything these days at all.", "Hi. I do not eat anything these days at all."),
    ],
)
def test_an_edited_copy_keeps_the_negators(sentence: str, post: str) -> None:
    assert locate_sentence(sentence, post, least_score=0.85) is None


@pytest.mark.parametrize(
    "before", ["no sleep\n", "I can't sleep\n", "It is never good. ", "Not sure why but ", "I can't eat, "]
)
def test_a_negator_of_another_clause_denies_nothing(before: str) -> None:
    copy = "I feel worthless all of the time"
    span = locate_sentence("I feel worthless all of teh time", f"{before}{copy}", least_score=0.85)
    assert span is not None and f"{before}{copy}"[span.start : span.end].endswith(copy)


def test_an_edited_copy_may_write_a_negator_in_another_way() -> None:
    post = "No. I really don`t want to live on. No way."
    span = locate_sentence("I really do not want to live on.", post, least_score=0.85)
    assert span is not None and post[span.start : span.end] == "I really don`t want to live on."
