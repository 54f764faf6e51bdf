import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional.text import squad
from transformers.data.metrics.squad_metrics import squad_evaluate
from transformers.data.processors.squad import SquadExample

from lib.metrics.spans import best_over_gold_answers, normalise_answer, span_scores

WORDS = st.lists(
    st.sampled_from(["I", "the", "a", "slept", "badly", "!", "An", "never,", "again", "\t", "❤️"]), max_size=6
)
TEXT = WORDS.map(" ".join)


@given(answers=st.lists(st.tuples(TEXT, st.lists(TEXT, max_size=3)), min_size=1, max_size=8))
def test_scores_equal_the_official_evaluation_of_squad_2(answers: list[tuple[str, list[str]]]) -> None:
    """transformers has a port of the official SQuAD 2.0 script, which averages over all questions."""
    questions = [
        SquadExample(
            str(i), "", "", None, None, "", answers=[{"text": text} for text in golds], is_impossible=not golds
        )
        for i, (_, golds) in enumerate(answers)
    ]
    theirs = squad_evaluate(questions, {str(i): answer for i, (answer, _) in enumerate(answers)})
    ours = np.array([best_over_gold_answers(golds, answer) for answer, golds in answers])
    assert 100 * ours.mean(axis=0) == pytest.approx([theirs["f1"], theirs["exact"]])


@given(answers=st.lists(st.tuples(TEXT, st.lists(TEXT.filter(normalise_answer), min_size=1)), min_size=1, max_size=8))
def test_scores_equal_torchmetrics_where_there_are_golds(answers: list[tuple[str, list[str]]]) -> None:
    predicted = [{"prediction_text": answer, "id": str(i)} for i, (answer, _) in enumerate(answers)]
    wanted = [
        {"answers": {"answer_start": [0] * len(golds), "text": golds}, "id": str(i)}
        for i, (_, golds) in enumerate(answers)
    ]
    theirs = squad(predicted, wanted)
    ours = np.array([best_over_gold_answers(golds, answer) for answer, golds in answers])
    assert 100 * ours.mean(axis=0) == pytest.approx([float(theirs["f1"]), float(theirs["exact_match"])], abs=1e-4)


@pytest.mark.parametrize(
    ("golds", "answer", "f1", "exact"),
    [
        ([], "", 1, 1),
        ([], "I slept", 0, 0),
        (["I slept"], "", 0, 0),
        (["The cat!"], "cat", 1, 1),
        (["I slept badly", "badly"], "badly", 1, 1),
        (["I slept badly"], "slept badly again", 2 / 3, 0),
        (["the"], "", 1, 1),  # the normalised gold is empty, so it counts as no gold
        (["no no"], "no", 2 / 3, 0),
    ],
)
def test_answers_by_hand(golds: list[str], answer: str, f1: float, exact: float) -> None:
    assert best_over_gold_answers(golds, answer) == (pytest.approx(f1), exact)


def test_span_scores_by_hand() -> None:
    found = span_scores(
        answers=["I slept badly", "", "wrong words", ""],
        golds=[["slept badly"], ["something"], [], []],
        confidence=np.array([0.9, 0.6, 0.7, 0.8]),
        probability=np.array([0.9, 0.4, 0.7, 0.2]),
        criterion=["A", "A", "A", "B"],
        weight=np.ones(4),
    )
    assert found["per_criterion"]["A"]["f1"] == found["f1_macro"] == pytest.approx(2 * 0.8 / (2 + 2))
    assert found["per_criterion"]["A"]["token_f1"] == found["token_f1"] == pytest.approx(0.8 / 3)
    assert found["per_criterion"]["B"]["f1"] is None and found["without_positive"] == ["B"]
    assert found["exact_match"] == 0.25
    assert found["has_answer"] == pytest.approx(0.4) and found["no_answer"] == 0
    assert found["ece"] == pytest.approx((0.1 + 0.6 + 0.7 + 0.2) / 4)
    assert found["confusion"] == {"true_negative": 1, "false_positive": 1, "false_negative": 1, "true_positive": 1}
    assert found["accuracy"] == 0.5 and found["auroc"] == 0.75 and found["yes_rate"] == found["prevalence"] == 0.5
    with pytest.raises(ValueError, match="no predictions"):
        span_scores([], [], np.array([]), np.array([]), [], np.array([]))


def test_an_agent_that_always_abstains_is_seen() -> None:
    golds: list[list[str]] = [["slept badly"], *([] for _ in range(9))]
    found = span_scores([""] * 10, golds, np.full(10, 0.9), np.full(10, 0.1), ["A"] * 10, np.ones(10))
    assert found["f1_macro"] == found["has_answer"] == 0
    assert found["token_f1"] == pytest.approx(0.9) and found["no_answer"] == 1
