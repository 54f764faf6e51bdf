"""The tables of an agent's report."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from support.evaluations import cross_validation, evaluation
from support.made_examples import make_examples
from support.tiny import params

from lib.agents import get_agent
from lib.agents.agent import Agent
from lib.reporting import agent_report
from lib.schemas.evaluation import CalibrationInTheLarge
from lib.tasks.decision import DecisionRule


@pytest.mark.parametrize("agent", ["evidence", "share", "joint"])
def test_the_test_tables_show_total_has_ans_and_no_ans_in_each_population(agent: str) -> None:
    tables = [table.markdown() for table in agent_report._models(evaluation(agent))]
    (spans,) = [table for table in tables if table.startswith("| spans |")]
    assert "| spans | population | token F1 | HasAns | NoAns |" in spans
    for place in ("natural prevalence", "annotated pairs"):
        assert f"| chosen | {place} |{' 1.000 [0.900, 1.000] |' * 3}" in spans
        abstains = ("0.583 [0.483, 0.683]", "0.000 [0.000, 0.100]", "1.000 [0.900, 1.000]")
        assert f"| majority | {place} | {' | '.join(abstains)} |" in spans


def test_the_test_tables_show_rates_and_predicted_sets_of_every_model() -> None:
    *_, rates, sets = [table.markdown() for table in agent_report._models(evaluation())]
    place = "natural prevalence, by (post, criterion)"
    chosen = f"| chosen | {place} |{' 1.000 [0.900, 1.000] |' * 4} 0.333 | 0.333 [0.233, 0.433] |"
    assert f"{chosen} 0.333 [0.233, 0.433] |" in rates
    assert (
        f"| majority | {place} | – | 0.000 [0.000, 0.100] | 0.333 [0.233, 0.433] | 0.500 [0.400, 0.600] | 0.333 |"
        in rates
    )
    assert "| chosen | 0.400 [0.300, 0.500] | 0.500 | 0.000 [0.000, 0.100] |" in sets
    assert "posts with every criterion predicted" in sets
    withheld = [table.markdown() for table in agent_report._models(evaluation(population="annotated"))]
    assert not any("every criterion" in table for table in withheld)


def test_the_headline_warns_of_rules_that_did_not_suit_the_final_training() -> None:
    test = evaluation()
    assert not any("Warning" in line for line in agent_report.headline(test, cross_validation()))
    moved = CalibrationInTheLarge(mean_probability=0.9, prevalence=0.04, shift=-6.5)
    lines = agent_report.headline(
        test.model_copy(update={"calibration_in_the_large": {"label": moved}}), cross_validation()
    )
    assert any(
        line.startswith("Warning, label: development pairs, natural prevalence: mean probability 0.900")
        and "-6.50" in line
        for line in lines
    )


def test_the_headline_shows_how_much_the_trainings_of_the_final_model_differ() -> None:
    test = evaluation()
    assert not any("trainings" in line for line in agent_report.headline(test, cross_validation()))
    test = test.model_copy(update={"seeds": [{"f1_macro": 0.4}, {"f1_macro": 0.5}, {"f1_macro": None}]})
    assert (
        "Its probabilities are the means of 3 trainings, which alone have F1-macro (natural prevalence) 0.400, 0.500,"
        " – (standard deviation between seeds 0.071)." in agent_report.headline(test, cross_validation())
    )


def test_an_agent_without_spans_has_no_table_of_spans() -> None:
    assert not any("HasAns" in table.markdown() for table in agent_report._models(evaluation()))


@pytest.mark.parametrize(
    ("population", "confidence", "right"),
    [("natural", [0.9, 0.8], [True, True]), ("annotated", [0.7, 0.4], [False, True])],
)
def test_the_calibration_figure_shows_the_pairs_of_one_population_that_count(
    population: str, confidence: list[float], right: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pairs 0 and 1 are natural, 2 and 3 annotated; 4 and 5 are both, but their criterion is excluded."""
    examples = replace(
        make_examples("x", [[(0, 1)], [], [(0, 1)], [], [(0, 1)], []], ["A", "A", "A", "A", "B", "B"]),
        natural=np.array([True, True, False, False, True, True]),
        annotated=np.array([False, False, True, True, True, True]),
        counted=np.array([True] * 4 + [False] * 2),
    )
    chances = np.array([0.9, 0.2, 0.3, 0.6, 0.7, 0.7])
    fold = SimpleNamespace(
        candidate=0,
        params=params(),
        examples=examples.ids,
        logits={"label": np.log(chances / (1 - chances)).tolist()},
    )
    # No annotated pair reaches its threshold, so all answers about them are no.
    rules = {"label": replace(DecisionRule.neutral(["A", "B"]), annotated_threshold=5.0)}
    monkeypatch.setattr(
        Agent, "cross_fit", lambda self, _, given, sample, __: self.rule_values(rules, given, sample.index)
    )
    found = SimpleNamespace(
        agent=get_agent("criteria"),
        examples=examples,
        folds=[fold],
        stage_c=SimpleNamespace(choice={"candidate": 0}),
        test=SimpleNamespace(population=population),
    )
    shown, correct = agent_report._reliability(found)["after calibration"]
    assert shown == pytest.approx(confidence) and correct.tolist() == right


@pytest.mark.parametrize(
    ("population", "where"), [("natural", "natural prevalence"), ("annotated", "annotated pairs")]
)
def test_the_headline_and_the_criteria_name_the_population(population: str, where: str) -> None:
    test = evaluation(population=population)
    lead = " ".join(agent_report.headline(test, cross_validation()))
    for name in (f"F1-macro ({where}) 0.5", f"ECE ({where}) 0.5", f"Targets ({where}): "):
        assert name in lead
    assert all(f"F1 ({where})" in table.columns for table in agent_report._criterion_tables(test))
