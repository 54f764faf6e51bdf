"""The examples of the agent that reads sentences."""

from dataclasses import replace

from support.planted import CRITERIA, corpus

from lib.agents import get_agent


def test_every_sentence_is_asked_about_every_criterion_once() -> None:
    development = replace(corpus(20), unannotated_are_negative=True)
    examples = get_agent("criteria").examples(development)
    known = len(development.annotations)
    assert examples.annotated[:known].all() and not examples.annotated[known:].any()
    assert (examples.natural == ~examples.annotated).all()
    # Each post has five sentences, which end with a full stop.
    assert examples.natural.sum() == 20 * 5 * len(CRITERIA) and len(set(examples.ids)) == len(examples)
    # The sentences are cut where the annotations are, so both have the same positives.
    assert examples.label[:known].sum() == examples.label[known:].sum() > 0


def test_a_sentence_is_positive_if_it_shares_half_of_a_positive_annotation() -> None:
    """The annotation covers two sentences and a few characters of a third one."""
    development = corpus(1)
    text = development.texts["p0000"]
    end = text.index(".", text.index(".") + 1) + 6
    rows = development.annotations.iloc[:1].assign(
        sentence=[text[:end]], criterion=["FRUIT"], status=[1], start=[0], end=[end]
    )
    examples = get_agent("criteria").examples(replace(development, annotations=rows, unannotated_are_negative=True))
    asked = [i for i in range(len(examples)) if examples.natural[i] and examples.criterion[i] == "FRUIT"]
    assert examples.label[asked].tolist() == [1, 1, 0, 0, 0]
    assert examples.text[0] == text[:end] and examples.label[0] == 1


def test_a_positive_annotation_across_a_sentence_end_is_about_one_of_both() -> None:
    """It shares four of nine characters with each sentence, so less than half."""
    development = corpus(1)
    text = development.texts["p0000"]
    end = text.index(".") + 1
    rows = development.annotations.iloc[:1].assign(
        sentence=[text[end - 4 : end + 5]], criterion=["FRUIT"], status=[1], start=[end - 4], end=[end + 5]
    )
    examples = get_agent("criteria").examples(replace(development, annotations=rows, unannotated_are_negative=True))
    asked = [i for i in range(len(examples)) if examples.natural[i] and examples.criterion[i] == "FRUIT"]
    assert examples.label[asked].tolist() == [1, 0, 0, 0, 0]


def test_a_positive_annotation_that_was_not_found_is_a_sentence_of_its_own() -> None:
    development = corpus(1)
    rows = development.annotations.iloc[:1].assign(
        sentence=["not in the post"], criterion=["FRUIT"], status=[1], start=[-1], end=[-1]
    )
    examples = get_agent("criteria").examples(replace(development, annotations=rows, unannotated_are_negative=True))
    assert examples.natural.sum() == 6 * len(CRITERIA)
    assert examples.label[examples.natural].sum() == 1 and examples.text.count("not in the post") == 3


def test_unknown_pairs_are_left_out() -> None:
    assert get_agent("criteria").examples(corpus(5)).annotated.all()


def test_a_pair_whose_annotations_contradict_each_other_is_no_example() -> None:
    """It is unknown whether the post meets the criterion, unless another sentence is positive."""
    development = corpus(1)
    text = development.texts["p0000"]
    end = text.index(".") + 1
    row = development.annotations.iloc[:1].assign(criterion="FRUIT", sentence=text[:end], start=0, end=end, status=-1)
    other = row.assign(sentence=text[end + 1 :], start=end + 1, end=len(text), criterion="WEATHER", status=1)
    tied = replace(development, annotations=other, unknown=row, unannotated_are_negative=True)
    examples = get_agent("criteria").examples(tied)
    assert "FRUIT" not in examples.criterion and examples.natural.sum() == 5
    decided = replace(tied, annotations=other.assign(criterion="FRUIT"))
    examples = get_agent("criteria").examples(decided)
    assert [examples.label[i] for i, name in enumerate(examples.criterion) if name == "FRUIT"] == [1, 1, 1, 1, 1]
    assert examples.criterion.count("WEATHER") == 5
    for agent in ("evidence", "joint"):
        assert get_agent(agent).examples(tied).ids == ["p0000 WEATHER"]
        assert get_agent(agent).examples(decided).ids == ["p0000 FRUIT", "p0000 WEATHER"]
