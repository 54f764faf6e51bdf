import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.corpus.sentences import Characters, sentences, sentences_about


def pieces(text: str, spans: list[tuple[int, int]]) -> list[str]:
    return [text[start:end] for start, end in spans]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" One. Two!? three\nfour... \n\n five ", ["One.", "Two!?", "three", "four...", "five"]),
        ("I saw Dr. Smith. He gave me 3.5 mg.", ["I saw Dr. Smith.", "He gave me 3.5 mg."]),
        ("Two tabs. of it t.i.d. or p.r.n. help, see p. 5.", ["Two tabs. of it t.i.d. or p.r.n. help, see p. 5."]),
        ("Some things help, e.g. walking. i feel bad.", ["Some things help, e.g. walking.", "i feel bad."]),
        ("I cannot sleep :( Why?? No idea...", ["I cannot sleep :( Why??", "No idea..."]),
        ("My list:\n- sleep\n- food", ["My list:", "- sleep", "- food"]),
        ("It is: • sleep • food", ["It is:", "• sleep", "• food"]),
        ("I woke at 3 a.m. and cried. The end", ["I woke at 3 a.m. and cried.", "The end"]),
        ("1. I cannot sleep\n2. I cannot eat", ["1. I cannot sleep", "2. I cannot eat"]),
        ("First: 1. I sleep badly. 2. I cry.", ["First: 1. I sleep badly.", "2. I cry."]),
        ("Pain, nausea etc. are bad. Fear etc. I cry.", ["Pain, nausea etc. are bad.", "Fear etc.", "I cry."]),
        (
            "It is No. 5 of 9. No. 5 of 9. I said no. 5 came.",
            ["It is No. 5 of 9.", "No. 5 of 9.", "I said no.", "5 came."],
        ),
        ("I take 20 mg. daily and 20mg. at night.", ["I take 20 mg. daily and 20mg. at night."]),
        ("I slept 2 hrs. i cry. I slept 2 hrs. of 8.", ["I slept 2 hrs.", "i cry.", "I slept 2 hrs. of 8."]),
        ("On Jan. 5 I fell. I left in Jan. It hurt.", ["On Jan. 5 I fell.", "I left in Jan.", "It hurt."]),
        ("That is 5 * 3 and so on", ["That is 5 * 3 and so on"]),
        ("My list: * sleep * food", ["My list:", "* sleep", "* food"]),
        ("one\u2028- two\u2029three\x85four\x0bfive", ["one", "- two", "three", "four", "five"]),
        ("Oh no!!!I cannot. What?!?I cry!!! :(", ["Oh no!!!", "I cannot.", "What?!?", "I cry!!! :("]),
        ("It ends at 0:48. Yeah.", ["It ends at 0:48.", "Yeah."]),
        ("I cried.I left!Then home. Mrs.Smith, vs.Me", ["I cried.", "I left!", "Then home.", "Mrs.Smith, vs.Me"]),
        ("Read example.com or Node.JS now...I do", ["Read example.com or Node.JS now...", "I do"]),
        ("1. I cry 2. I don't eat 3) I sleep", ["1. I cry", "2. I don't eat", "3) I sleep"]),
        (
            "I was told bipolar 1. She has bipolar 2. I cry.",
            ["I was told bipolar 1.", "She has bipolar 2.", "I cry."],
        ),
        ("Because: 1. I cry 2. I sleep", ["Because: 1. I cry", "2. I sleep"]),
        ("I can't.I left PTSD.It (hurt).I go", ["I can't.", "I left PTSD.", "It (hurt).", "I go"]),
        ("See www.Facebook.Com and jane.Doe@mail.com", ["See www.Facebook.Com and jane.Doe@mail.com"]),
        ("I have 2. It hurts. I was 12. So it goes.", ["I have 2.", "It hurts.", "I was 12.", "So it goes."]),
        (
            "I can't sleep... I can't eat… (Alone...) My God. so... it ends",
            ["I can't sleep...", "I can't eat…", "(Alone...)", "My God.", "so... it ends"],
        ),
        (
            "I... I woke at 5 a.m. I cried. At 5 p.m. Monday came.",
            ["I... I woke at 5 a.m.", "I cried.", "At 5 p.m. Monday came."],
        ),
        ("", []),
        (" \n ", []),
    ],
)
def test_texts_are_cut_where_a_reader_would_cut_them(text: str, expected: list[str]) -> None:
    assert pieces(text, sentences(text)) == expected


def test_a_sentence_can_be_cut_where_an_answer_ends() -> None:
    assert sentences("I sleep badly now.", [8, 13]) == [(0, 7), (8, 13), (14, 18)]


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ((0, 10), [0]),
        ((2, 4), [0]),
        ((12, 29), [1, 2]),
        ((0, 12), [0]),
        ((5, 16), [0, 1]),
        ((7, 15), [1]),
        ((40, 45), []),
    ],
)
def test_a_span_is_about_the_sentences_that_share_half_or_else_most(span: Characters, expected: list[int]) -> None:
    """The span (7, 15) shares three and four characters with sentences of ten."""
    assert sentences_about([(0, 10), (11, 21), (22, 32)], span) == expected


@given(text=st.text(alphabet=st.sampled_from("ab1 .!?\n\r•*:(é🙂\u2028"), max_size=60))
def test_sentences_cover_every_character_but_white_space_once(text: str) -> None:
    spans = sentences(text)
    assert "".join("".join(pieces(text, spans)).split()) == "".join(text.split())
    assert spans == sorted(spans)
