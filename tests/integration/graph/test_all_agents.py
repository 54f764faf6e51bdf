"""Every agent runs through every stage by the same commands."""

from pathlib import Path

import pytest
from support.evaluations import check_stage_c
from support.tiny import agent_commands, change_settings

from lib.cli.main import main


@pytest.mark.no_cover
@pytest.mark.parametrize("agent", ["evidence", "joint"])  # test_privacy does the same for share
def test_a_post_agent_runs_through_all_stages(agent: str, copy_of_finished: Path) -> None:
    candidates = 2 if agent == "joint" else 1  # so one agent averages candidates, and it has both kinds of tasks
    small = {"trials": candidates, "seeds": 1}
    change_settings(
        stage_a=small,
        stage_b=small,
        training={"epochs": 1},
        stage_c={"candidates": candidates, "ensemble": candidates},
        baseline={"seeds": 1},
        final={"seeds": 1},
    )
    for command in agent_commands(agent, candidates):
        assert main(command.split()) == 0, command
    check_stage_c(agent)
