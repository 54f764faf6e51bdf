"""The line about the test set."""

from dataclasses import replace

import numpy as np
import pytest
from support.evaluations import evaluation
from support.made_examples import hyper, make_examples

from lib.agents import get_agent
from lib.evaluation.refit import FinalRules
from lib.evaluation.test_set import _levels, _ModelOutput, check_targets, format_result


@pytest.mark.parametrize(
    ("population", "where"), [("natural", "natural prevalence"), ("annotated", "annotated pairs")]
)
def test_the_line_names_the_population_of_all_its_figures(population: str, where: str) -> None:
    line = format_result(evaluation(population=population), get_agent("criteria"))
    assert line.startswith(
        f"final criteria: test set, {where}: F1-macro 0.500 [0.400, 0.600], ECE 0.500;"
        " default transformer F1-macro 0.500 (p 0.040)"
    )


def test_a_model_that_gives_all_pairs_the_prevalence_misses_the_target_of_calibration() -> None:
    test = evaluation()
    chosen, *others = test.models
    assert list(check_targets(test.models, test.against).values()) == [True, True]
    skill = others[0].scores["brier_skill"]
    flat = chosen.model_copy(update={"scores": {**chosen.scores, "brier_skill": skill}, "ece": {"value": 0.0}})
    assert check_targets([flat, *others], test.against)["Brier skill above every baseline's"] is False


def test_on_annotated_pairs_the_target_of_calibration_is_a_limit_of_ece() -> None:
    test = evaluation(population="annotated")
    assert check_targets(test.models, test.against)["ECE below 0.10"] is False
    good = test.models[0].model_copy(update={"ece": {"value": 0.05}})
    assert check_targets([good, *test.models[1:]], test.against)["ECE below 0.10"] is True


def test_a_criterion_that_no_test_example_is_about_is_counted() -> None:
    """It can happen where unannotated pairs are unknown, and only the rows of the annotations are examples."""
    agent, examples = get_agent("criteria"), make_examples("I am tired.", [[], [(0, 11)]], ["A", "B"])
    rules = FinalRules(agent.neutral_rules(["A", "B", "C"]), None)
    output = _ModelOutput({"label": np.array([-1.0, 1.0])}, rules, hyper())
    scores = _levels(agent, output, replace(examples, natural=np.zeros(2, bool)), ["A", "B", "C"])[1]["scores"]
    assert scores["without_positive"] == scores["annotated"]["without_positive"] == ["A", "C"]
