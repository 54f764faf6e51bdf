import numpy as np
import pytest
from scipy.special import expit
from support.made_examples import make_examples

from lib.evaluation.by_post import (
    LabelledPostCriterionPairs,
    PostCriterionPairs,
    decide_posts,
    fit_post_rule,
    labelled_post_criterion_pairs,
    post_criterion_pairs,
    score_sets,
    set_scores_from_statistics,
    set_statistics,
)
from lib.tasks.examples import Examples
from lib.tasks.label import Labels


def names(pairs: PostCriterionPairs) -> list[tuple[str, str]]:
    return list(zip(pairs.post_id, pairs.criterion, strict=True))


def unscored(examples: Examples) -> LabelledPostCriterionPairs:
    """Return the pairs of examples that are whole posts, with the same log odds for all."""
    return labelled_post_criterion_pairs(np.full(len(examples), 0.5), examples, np.arange(len(examples)))


def test_a_post_meets_a_criterion_if_any_of_its_sentences_does() -> None:
    answers = [[(0, 1)], [], [], []]
    examples = make_examples("x", answers, ["A", "A", "B", "A"], ["p", "p", "p", "q"])
    pairs = labelled_post_criterion_pairs(np.array([0.5, 0.2, 0.1, 0.3]), examples, np.arange(4))
    assert names(pairs) == [("p", "A"), ("p", "B"), ("q", "A")] and pairs.label.tolist() == [1, 0, 0]
    assert expit(pairs.log_odds) == pytest.approx([0.5, 0.1, 0.3])


def test_an_id_may_hold_any_character() -> None:
    """A spreadsheet may leave tabs in the ids, and ids that differ only in them name different posts."""
    examples = make_examples("x", [[], [(0, 1)], []], ["A", "A", "B"], ["p\tA", "p", "p\tA"])
    pairs = labelled_post_criterion_pairs(np.array([0.5, 0.2, 0.1]), examples, np.arange(3))
    assert names(pairs) == [("p", "A"), ("p\tA", "A"), ("p\tA", "B")]
    assert pairs.label.tolist() == [1, 0, 0]


def test_the_answers_of_an_agent_that_reads_posts_are_kept() -> None:
    examples = make_examples("x", [[], [(0, 1)]], ["B", "A"], ["p", "p"])
    given = Labels(np.array([0.2, 0.9]), np.array([False, True]))
    pairs = post_criterion_pairs(given.probability, examples, np.arange(2))
    labels = decide_posts(given, pairs, None)
    assert names(pairs) == [("p", "A"), ("p", "B")] and labels.probability.tolist() == [0.9, 0.2]
    assert labels.yes.tolist() == [True, False]


def test_without_a_rule_a_post_meets_what_any_of_its_sentences_meets() -> None:
    examples = make_examples("x", [[], [], []], ["A", "A", "B"], ["p", "p", "p"])
    given = Labels(np.array([0.2, 0.6, 0.4]), np.array([True, False, False]))
    pairs = post_criterion_pairs(given.probability, examples, np.arange(3))
    labels = decide_posts(given, pairs, None)
    assert names(pairs) == [("p", "A"), ("p", "B")] and labels.probability.tolist() == [0.6, 0.4]
    assert labels.yes.tolist() == [True, False]


def test_the_rule_of_posts_corrects_for_the_number_of_sentences() -> None:
    """One of ten sentences may be positive, so the highest probability among them is too low for the post."""
    rng = np.random.default_rng(0)
    chance = expit(rng.normal(-4, 1, (4000, 10)))
    true = rng.random((4000, 10)) < chance
    posts = [f"p{i:04d}" for i in range(4000) for _ in range(10)]
    answers = [[(0, 1)] if yes else [] for yes in true.ravel()]
    examples = make_examples("x", answers, ["A"] * 40_000, posts)
    index, given = np.arange(40_000), Labels(chance.ravel(), np.zeros(40_000, bool))
    pairs, share = labelled_post_criterion_pairs(chance.ravel(), examples, index), true.any(axis=1).mean()
    assert expit(pairs.log_odds).mean() < 0.6 * share
    labels = decide_posts(given, pairs, fit_post_rule(pairs))
    assert labels.probability.mean() == pytest.approx(share, abs=0.01)
    likely = labels.probability > np.quantile(labels.probability, 0.9)
    assert labels.probability[likely].mean() == pytest.approx(pairs.label[likely].mean(), abs=0.06)


def test_the_sets_of_criteria_are_scored_with_none_as_a_label() -> None:
    """The first post is right; for the second every criterion is predicted, and it meets none."""
    answers = [[(0, 1)], [], [], []]
    examples = make_examples("x", answers, ["A", "B", "A", "B"], ["p", "p", "q", "q"])
    scores = score_sets(np.array([True, False, True, True]), unscored(examples))
    assert (
        scores["every_criterion_predicted"] == 0.5
        and scores["criteria_predicted"] == 1.5
        and scores["criteria_true"] == 0.5
    )
    # A: one hit and one false, B: one false, none: one missed; B never occurs.
    assert scores["f1_micro"] == pytest.approx(2 / (2 + 3))
    assert scores["f1_macro"] == pytest.approx((2 / 3 + 0) / 2)


def test_a_post_with_an_unknown_pair_has_no_set_of_criteria() -> None:
    """The evidence of B in post p was not found, so the pair is not an example, but the post is not 'none'."""
    examples = make_examples("x", [[], [(0, 1)], []], ["A", "A", "B"], ["p", "q", "q"])
    scores = score_sets(np.array([False, True, False]), unscored(examples))
    assert (scores["left_out"], scores["incomplete"]) == (1, 0) and scores["f1_micro"] == scores["criteria_true"] == 1
    statistics, groups = set_statistics(np.array([False, True, False]), unscored(examples))
    assert groups.tolist() == [1] and set_scores_from_statistics(statistics).tolist() == [[1, 1, 0, 1]]
    alone = make_examples("x", [[], [(0, 1)]], ["A", "B"], ["p", "q"])
    scores = score_sets(np.array([False, True]), unscored(alone))
    assert (scores["left_out"], scores["incomplete"]) == (0, 2), "without a complete post all count"
