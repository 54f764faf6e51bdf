"""The examples of the agent that reads sentences."""

from dataclasses import replace

from support.planted import CRITERIA, corpus

from lib.agents import get_agent


def test_every_sentence_is_asked_about_every_criterion_once() -> None:
    development = replace(corpus(20), natural=True)
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
    examples = get_agent("criteria").examples(replace(development, annotations=rows, natural=True))
    asked = [i for i in range(len(examples)) if examples.natural[i] and examples.criterion[i] == "FRUIT"]
    assert examples.label[asked].tolist() == [1, 1, 0, 0, 0]
    assert examples.second[0] == text[:end] and examples.label[0] == 1


def test_a_positive_annotation_that_was_not_found_is_a_sentence_of_its_own() -> None:
    development = corpus(1)
    rows = development.annotations.iloc[:1].assign(
        sentence=["not in the post"], criterion=["FRUIT"], status=[1], start=[-1], end=[-1]
    )
    examples = get_agent("criteria").examples(replace(development, annotations=rows, natural=True))
    assert examples.natural.sum() == 6 * len(CRITERIA)
    assert examples.label[examples.natural].sum() == 1 and examples.second.count("not in the post") == 3


def test_unknown_pairs_are_left_out() -> None:
    assert get_agent("criteria").examples(corpus(5)).annotated.all()
