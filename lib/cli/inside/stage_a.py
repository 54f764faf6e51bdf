"""The command `stage-a`, which collects the best configurations of Stage A."""

from argparse import Namespace

from lib.cli.command import Command
from lib.cli.experiments import agent_search
from lib.cli.paths import agent_path


def write_stage_a(options: Namespace) -> None:
    """Write the best configurations of Stage A and a picture of its trials."""
    from lib.reporting import figures, svg
    from lib.search.collect import collect_stage_a

    search = agent_search(options)
    trials = search.finished("stage_a")
    result = collect_stage_a(search, trials)
    svg.save_svg(figures.plot_history(trials, search.objective), agent_path(options, "stage_a.svg"))
    result.write(agent_path(options, result.FILE))


COMMAND = Command("stage-a", "Collect the best configurations of Stage A.", write_stage_a, agent=True)
