"""The examples of the agent that reads sentences."""

from dataclasses import replace

from support.planted import CRITERIA, corpus

from lib.agents import get_agent


def test_every_sentence_is_asked_about_every_criterion_once() -> None:
    development = replace(corpus(20), natural=True)
    examples = get_agent("criteria").examples(development)
    known = len(development.annotations)
    assert examples.annotated[:known].all() and not examples.annotated[known:].any()
    assert not examples.label[known:].any()
    # Each post has five sentences, which end with a full stop.
    assert len(examples) == 20 * 5 * len(CRITERIA) and len(set(examples.ids)) == len(examples)
    asked = {(p, t, c) for p, t, c in zip(examples.post_id, examples.second, examples.criterion, strict=True)}
    assert {c for p, t, c in asked if p == "p0000" and t == examples.second[0]} == set(CRITERIA)


def test_an_annotated_sentence_is_kept_whole_and_one_that_was_not_found_is_kept_too() -> None:
    development = corpus(1)
    text = development.texts["p0000"]
    rows = development.annotations.iloc[:2].assign(
        sentence=[text[: text.index(".", text.index(".") + 1) + 1], "not in the post"],
        criterion=["FRUIT", "WEATHER"],
        start=[0, -1],
        end=[text.index(".", text.index(".") + 1) + 1, -1],
    )
    examples = get_agent("criteria").examples(replace(development, annotations=rows, natural=True))
    # One annotated part of two sentences, three other sentences, and one that is not in the post.
    assert len(examples) == (1 + 3 + 1) * len(CRITERIA)
    assert examples.second.count(rows["sentence"].iloc[0]) == 2 and examples.second.count("not in the post") == 2


def test_unknown_pairs_are_left_out() -> None:
    assert get_agent("criteria").examples(corpus(5)).annotated.all()
