"""The comparison of all agents."""

from support.evaluations import cross_validation, evaluation

from lib.reporting.summary import render_html, render_markdown, summary_entry


def test_the_summary_shows_what_an_agent_that_abstains_would_hide() -> None:
    agents = [summary_entry(cross_validation(agent), evaluation(agent)) for agent in ("criteria", "share")]
    assert agents[0]["spans"] == [] and agents[1]["spans"][0]["no_answer"] == 1.0
    assert "| share | natural prevalence | 1.000 | 1.000 | 1.000 |" in render_markdown(agents)
    assert "| share | annotated pairs | 1.000 | 1.000 | 1.000 |" in render_markdown(agents)
    assert "HasAns" in render_html(agents) and "HasAns" not in render_markdown(agents[:1])
