import pytest
from support.evaluations import agent_scores

from lib.metrics.span_totals import span_totals


@pytest.mark.parametrize("agent", ["evidence", "share"])
def test_an_agent_that_always_abstains_has_no_f1_where_there_is_evidence(agent: str) -> None:
    """A and B have evidence; C has none and does not count."""
    natural, annotated = span_totals(agent_scores(agent, [False] * 6))
    assert (natural.population, annotated.population) == ("natural prevalence", "annotated pairs")
    assert natural.cells() == annotated.cells() == ["0.583", "0.000", "1.000"]
    assert natural.sentence() == "spans (natural prevalence): token F1 0.583, HasAns 0.000, NoAns 1.000"


def test_an_agent_without_spans_has_no_totals() -> None:
    assert span_totals(agent_scores("criteria", [False] * 6)) == []


def test_one_population_has_one_line() -> None:
    (only,) = span_totals(agent_scores("evidence", [True] * 6, "annotated"))
    assert only.population == "annotated pairs" and only.cells() == ["0.417", "1.000", "0.000"]
