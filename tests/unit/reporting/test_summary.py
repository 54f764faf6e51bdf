"""The comparison of all agents."""

import pytest
from support.evaluations import cross_validation, evaluation

from lib.reporting.summary import render_html, render_markdown, summary_entry


def test_the_summary_shows_what_an_agent_that_abstains_would_hide() -> None:
    agents = [summary_entry(cross_validation(agent), evaluation(agent)) for agent in ("criteria", "share")]
    assert agents[0]["spans"] == [] and agents[1]["spans"][0]["no_answer"]["value"] == 1.0
    for place in ("natural prevalence", "annotated pairs"):
        assert f"| share | {place} |{' 1.000 [0.900, 1.000] |' * 3}" in render_markdown(agents)
    assert "HasAns" in render_html(agents) and "HasAns" not in render_markdown(agents[:1])


@pytest.mark.parametrize(
    ("population", "where"), [("natural", "natural prevalence"), ("annotated", "annotated pairs")]
)
def test_every_score_of_the_summary_names_its_population(population: str, where: str) -> None:
    agents = [summary_entry(cross_validation(population=population), evaluation(population=population))]
    for shown in (render_html(agents), render_markdown(agents)):
        for name in (
            f"CV F1-macro ({where})",
            f"test F1-macro ({where})",
            f"test ECE ({where})",
            f"strongest baseline, test F1-macro ({where})",
            f"difference in test F1-macro ({where})",
            f"targets ({where})",
            f"Targets ({where})",
        ):
            assert name in shown
