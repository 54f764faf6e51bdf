"""The command `stage-b`, which ranks the trials of Stage B."""

from argparse import Namespace

from lib.cli.command import Command
from lib.cli.experiments import agent_search
from lib.cli.paths import agent_path


def write_stage_b(options: Namespace) -> None:
    """Write the ranked trials of Stage B and a picture of the Pareto front."""
    from lib.reporting import figures, svg
    from lib.search.collect import collect_stage_b

    search = agent_search(options)
    result = collect_stage_b(search)
    svg.save_svg(figures.plot_pareto_front(result, search.objective), agent_path(options, "stage_b.svg"))
    result.write(agent_path(options, result.FILE))


COMMAND = Command("stage-b", "Rank the trials of Stage B.", write_stage_b, agent=True)
