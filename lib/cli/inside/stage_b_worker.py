"""The command `stage-b-worker`, which runs trials of Stage B."""

from argparse import Namespace

from lib.agents import agent_space
from lib.cli.command import Command
from lib.cli.paths import agent_path
from lib.cli.worker_command import add_worker_arguments, run_workers
from lib.settings.load import read_settings


def run_stage_b_worker(options: Namespace) -> None:
    """Run trials of Stage B, starting with the best configurations of Stage A."""
    from lib.schemas.search import StageAResult, read_stage
    from lib.search.strategies import stage_b_strategy

    settings = read_settings(options.settings)
    space = agent_space(settings.space, options.agent)
    best = read_stage(StageAResult, agent_path(options, StageAResult.FILE), space)
    run_workers(options, stage_b_strategy(settings, options.agent, best))


COMMAND = Command(
    "stage-b-worker",
    "Run trials of Stage B until the budget is spent; several workers may run at once.",
    run_stage_b_worker,
    add_worker_arguments,
    agent=True,
)
