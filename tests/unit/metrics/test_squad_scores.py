import pytest
from support.evaluations import agent_scores, intervals

from lib.metrics.squad_scores import squad_scores


@pytest.mark.parametrize("agent", ["evidence", "share"])
def test_an_agent_that_always_abstains_has_no_f1_where_there_is_evidence(agent: str) -> None:
    """A and B have evidence; C has none and does not count."""
    scores = intervals(agent_scores(agent, [False] * 6))
    natural, annotated = squad_scores({"natural": scores, "annotated": scores, "post": {}})
    assert (natural.population, annotated.population) == ("natural prevalence", "annotated pairs")
    assert (
        natural.cells()
        == annotated.cells()
        == ["0.583 [0.483, 0.683]", "0.000 [0.000, 0.100]", "1.000 [0.900, 1.000]"]
    )
    assert natural.sentence() == (
        "spans (natural prevalence): token F1 0.583 [0.483, 0.683], HasAns 0.000 [0.000, 0.100],"
        " NoAns 1.000 [0.900, 1.000]"
    )


def test_an_agent_without_spans_has_no_totals() -> None:
    assert squad_scores({"natural": intervals(agent_scores("criteria", [False] * 6))}) == []


def test_one_population_has_one_line() -> None:
    (only,) = squad_scores({"annotated": intervals(agent_scores("evidence", [True] * 6, "annotated"))})
    assert only.population == "annotated pairs" and only.total["value"] == pytest.approx(0.417, abs=0.001)


def test_a_score_that_is_undefined_is_a_dash() -> None:
    (only,) = squad_scores({"natural": {"token_f1": {"value": 0.0, "low": 0.0, "high": 0.0}}})
    assert only.cells() == ["0.000 [0.000, 0.000]", "–", "–"]
