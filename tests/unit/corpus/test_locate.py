import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from lib.corpus.locate import locate

text = st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=30)


@given(before=text, sentence=text.filter(str.strip), after=text)
def test_a_sentence_is_found_where_it_stands(before: str, sentence: str, after: str) -> None:
    post = before + sentence + after
    span = locate(sentence, post)
    assert span is not None and span.match == "exact"
    assert post[span.start : span.end] == sentence


@given(before=text, sentence=st.text(alphabet="abcäéß \tXYZ🙏’", min_size=1).filter(str.strip), after=text)
def test_case_space_and_unicode_form_do_not_matter(before: str, sentence: str, after: str) -> None:
    written = unicodedata.normalize("NFD", sentence.strip().swapcase()).replace(" ", " \n\t")
    span = locate(sentence.strip(), f"{before} {written} {after}")
    assert span is not None


def test_spans_refer_to_the_original_text() -> None:
    post = "Well…  I  CAN\u2019T\tsleep 🙏\u200d now. I can't sleep."
    span = locate("i can't sleep", post)
    assert span is not None and span.match == "normalised"
    assert post[span.start : span.end] == "I  CAN\u2019T\tsleep"


def test_repeated_sentences_have_their_own_places() -> None:
    post = "No. Yes. No. No."
    assert [locate("No.", post, k).start for k in range(4)] == [0, 9, 13, 13]  # type: ignore[union-attr]
    assert locate("Maybe.", post) is None
    assert locate("\u200d", post) is None
