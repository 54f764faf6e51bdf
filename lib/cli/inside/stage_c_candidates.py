"""The command `stage-c-candidates`, which chooses the candidates of Stage C."""

from argparse import Namespace

from lib.cli.command import Command
from lib.cli.experiments import agent_search
from lib.cli.paths import agent_path


def choose_stage_c_candidates(options: Namespace) -> None:
    """Choose the candidates of Stage C from the ranked trials of Stage B."""
    from lib.schemas.search import StageBResult, read_stage
    from lib.search.selection import select_candidates

    search = agent_search(options)
    front = read_stage(StageBResult, agent_path(options, StageBResult.FILE), search.space)
    found = select_candidates(search, front)
    found.write(agent_path(options, f"stage_c/{found.FILE}"))


COMMAND = Command("stage-c-candidates", "Choose the candidates of Stage C.", choose_stage_c_candidates, agent=True)
