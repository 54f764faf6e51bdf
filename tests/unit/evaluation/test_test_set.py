"""The line about the test set."""

import pytest
from support.evaluations import evaluation

from lib.agents import get_agent
from lib.evaluation.test_set import format_result


@pytest.mark.parametrize(
    ("population", "where"), [("natural", "natural prevalence"), ("annotated", "annotated pairs")]
)
def test_the_line_names_the_population_of_all_its_figures(population: str, where: str) -> None:
    line = format_result(evaluation(population=population), get_agent("criteria"))
    assert line.startswith(
        f"final criteria: test set, {where}: F1-macro 0.500 [0.400, 0.600], ECE 0.500;"
        " default transformer F1-macro 0.500 (p 0.040)"
    )
