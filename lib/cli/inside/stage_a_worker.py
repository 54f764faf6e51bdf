"""The command `stage-a-worker`, which runs trials of Stage A."""

from argparse import Namespace

from lib.agents import agent_space
from lib.cli.command import Command
from lib.cli.worker_command import add_worker_arguments, run_workers
from lib.settings.load import read_settings


def run_stage_a_worker(options: Namespace) -> None:
    """Run trials of Stage A, with the best configurations of earlier agents among the first ones."""
    from lib.schemas.search import StageAResult, read_stage
    from lib.search.strategies import stage_a_strategy

    settings = read_settings(options.settings)
    earlier = [
        read_stage(StageAResult, options.results / name / StageAResult.FILE, agent_space(settings.space, name))
        for name in settings.config.earlier_agents(options.agent)
    ]
    run_workers(options, stage_a_strategy(settings, options.agent, earlier))


COMMAND = Command(
    "stage-a-worker",
    "Run trials of Stage A until the budget is spent; several workers may run at once.",
    run_stage_a_worker,
    add_worker_arguments,
    agent=True,
)
