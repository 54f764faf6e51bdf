"""The command `report`, which writes an agent's report."""

from argparse import Namespace

from lib.cli.command import Command, echo
from lib.cli.experiments import load_experiment
from lib.cli.paths import agent_path, read_folds
from lib.files.atomic import write_text


def write_report(options: Namespace) -> None:
    """Write an agent's report as one HTML file."""
    from lib.reporting.agent_report import render_report as write
    from lib.reporting.report_data import read_report_data

    experiment = load_experiment(options)
    found = read_report_data(experiment, read_folds(options, experiment.settings))
    write_text(agent_path(options, "report.html"), write(found))
    echo(f"report {options.agent}: {agent_path(options, 'report.html')}")


COMMAND = Command(
    "report",
    "Write an agent's report as one HTML file.",
    write_report,
    agent=True,
)
