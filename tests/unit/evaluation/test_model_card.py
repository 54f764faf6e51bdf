import pytest
from support.evaluations import evaluation, manifest

from lib.evaluation.model_card import model_card

ABSTAINS = "| majority | {} | 0.583 | 0.000 | 1.000 |"


@pytest.mark.parametrize("agent", ["evidence", "share", "joint"])
def test_the_card_shows_a_model_that_always_abstains(agent: str) -> None:
    card = model_card(manifest(agent), evaluation(agent), generated=True)
    assert "| chosen | natural prevalence | 1.000 | 1.000 | 1.000 |" in card
    assert ABSTAINS.format("natural prevalence") in card and ABSTAINS.format("annotated pairs") in card


def test_the_card_of_an_agent_without_spans_has_no_table_of_spans() -> None:
    assert "HasAns" not in model_card(manifest(), evaluation(), generated=True)


@pytest.mark.parametrize(
    ("population", "where"), [("natural", "natural prevalence"), ("annotated", "annotated pairs")]
)
def test_the_scores_and_the_targets_name_their_population(population: str, where: str) -> None:
    card = model_card(manifest(population=population), evaluation(population=population), generated=True)
    assert f"F1-macro, {where} | ECE, {where}" in card and f"Targets ({where}):" in card
    assert f"| criterion | F1, {where} |" in card
