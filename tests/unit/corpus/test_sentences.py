from lib.corpus.sentences import sentences


def test_sentences_cover_everything_except_white_space() -> None:
    text = " One. Two!? three\nfour... \n\n five "
    assert [text[start:end] for start, end in sentences(text)] == ["One.", "Two!?", "three", "four...", "five"]


def test_a_stop_within_a_word_or_a_number_ends_no_sentence() -> None:
    text = "I take 3.5 mg (s.o. said so). It helps."
    assert [text[start:end] for start, end in sentences(text)] == ["I take 3.5 mg (s.o.", "said so).", "It helps."]


def test_a_sentence_can_be_cut_where_an_answer_ends() -> None:
    assert sentences("I sleep badly now.", [8, 13]) == [(0, 7), (8, 13), (14, 18)]
