"""The tables of an agent's report."""

import pytest
from support.evaluations import evaluation

from lib.reporting import agent_report


@pytest.mark.parametrize("agent", ["evidence", "share", "joint"])
def test_the_test_tables_show_total_has_ans_and_no_ans_in_each_population(agent: str) -> None:
    tables = [table.markdown() for table in agent_report._models(evaluation(agent))]
    (spans,) = [table for table in tables if table.startswith("| spans |")]
    assert "| spans | population | token F1 | HasAns | NoAns |" in spans
    for place in ("natural prevalence", "annotated pairs"):
        assert f"| chosen | {place} | 1.000 | 1.000 | 1.000 |" in spans
        assert f"| majority | {place} | 0.583 | 0.000 | 1.000 |" in spans


def test_an_agent_without_spans_has_no_table_of_spans() -> None:
    assert not any("HasAns" in table.markdown() for table in agent_report._models(evaluation()))
