"""The model card."""

import pytest
from support.evaluations import evaluation, manifest

from lib.evaluation.model_card import model_card

ABSTAINS = "| majority | {} | 0.583 [0.483, 0.683] | 0.000 [0.000, 0.100] | 1.000 [0.900, 1.000] |"


@pytest.mark.parametrize("agent", ["evidence", "share", "joint"])
def test_the_card_shows_a_model_that_always_abstains(agent: str) -> None:
    card = model_card(manifest(agent), evaluation(agent), generated=True, with_authors=True, excluded=())
    assert f"| chosen | natural prevalence |{' 1.000 [0.900, 1.000] |' * 3}" in card
    assert ABSTAINS.format("natural prevalence") in card and ABSTAINS.format("annotated pairs") in card


def test_the_card_of_an_agent_without_spans_has_no_table_of_spans() -> None:
    assert "HasAns" not in model_card(manifest(), evaluation(), generated=True, with_authors=True, excluded=())


@pytest.mark.parametrize(
    ("population", "where", "sizes", "fitted"),
    [
        ("natural", "natural prevalence", "5 pairs at natural prevalence, 2", "fitted at natural prevalence."),
        ("annotated", "annotated pairs", "4 annotated pairs, 2", "fitted on annotated pairs."),
    ],
)
def test_sizes_scores_rules_and_targets_name_their_population(
    population: str, where: str, sizes: str, fitted: str
) -> None:
    card = model_card(
        manifest(population=population),
        evaluation(population=population),
        generated=True,
        with_authors=True,
        excluded=(),
    )
    assert f"F1-macro, {where} | ECE, {where}" in card and f"Targets ({where}):" in card
    assert f"| criterion | F1, {where} |" in card
    assert f"3 test posts ({sizes} of them positive)" in card and fitted in card
    assert "3 posts, 6 pairs (4 of them annotated)" in card
    assert f"* label: development pairs, {where}: mean probability 0.050, positive 0.040\n" in card
    assert card.count("F1-macro, annotated pairs |") == 1


def test_the_card_names_the_criteria_that_were_left_out_of_the_scores() -> None:
    test = evaluation()
    known = manifest().model_copy(update={"criteria": {"A": "tiredness", "S": "another matter"}})
    card = model_card(known, test, generated=True, with_authors=True, excluded=("S",))
    assert "\nLeft out of all scores (corpus.excluded_criteria): S.\n" in card
    assert "* **S** (left out of all scores): another matter" in card and "* **A**: tiredness" in card
    without = model_card(known, test, generated=True, with_authors=True, excluded=())
    assert "of all scores" not in without
    assert "\nLeft out of averages, without a positive in this part: 1 (C).\n" in without


@pytest.mark.parametrize(
    ("with_authors", "known"), [(True, "The posts of one author"), (False, "Authors are not known")]
)
def test_the_card_says_whether_authors_are_known_and_how_often_the_model_predicts_yes(
    with_authors: bool, known: str
) -> None:
    card = model_card(manifest(), evaluation(), generated=True, with_authors=with_authors, excluded=())
    assert known in card and "| predicted positive | mean probability | prevalence |" in card
    assert f"{' 0.333 [0.233, 0.433] |' * 2} 0.333 |\n| annotated pairs |" in card
    assert "For 0% of the posts the model predicts every criterion." in card


@pytest.mark.parametrize(
    ("population", "claim"),
    [
        ("natural", "Calibration was fitted at natural prevalence for whether a pair's criterion is met."),
        ("annotated", "Calibration was fitted on annotated pairs for whether a pair's criterion is met."),
    ],
)
def test_the_card_claims_calibration_only_for_what_was_fitted(population: str, claim: str) -> None:
    test, known = evaluation(population=population), manifest(population=population)
    card = model_card(known, test, generated=True, with_authors=True, excluded=())
    assert claim in card and "Temperatures, offsets and thresholds of each" in " ".join(card.split())
    assert ("predicts yes too often" in card) == (population == "annotated")
    spans = known.model_copy(update={"rules": {"span": known.rules["label"]}, "post_rule": known.rules["label"]})
    spans = spans.model_copy(update={"params": {"null_policy.name": "none"}})
    card = model_card(spans, test, generated=True, with_authors=True, excluded=())
    assert "for whether there is evidence, but not where it is, and for whether a post meets a criterion." in card
    assert "Temperatures and offsets of each" in " ".join(card.split())
