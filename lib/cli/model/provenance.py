"""The command `provenance`, which writes everything needed to repeat an agent's chosen trial."""

from argparse import Namespace

from lib.cli.command import Command
from lib.schemas.document import now
from lib.settings.load import read_settings


def write_provenance(options: Namespace) -> None:
    """Write an agent's provenance.json."""
    from lib.evaluation.provenance import trial_provenance
    from lib.experiment.experiment import Experiment

    started = now()
    experiment = Experiment(read_settings(options.settings), options.agent, options.results)
    trial_provenance(experiment, started).write(options.results / options.agent / "provenance.json")


COMMAND = Command(
    "provenance",
    "Write everything needed to repeat an agent's chosen trial.",
    write_provenance,
    agent=True,
)
