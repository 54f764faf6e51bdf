"""The command `provenance`, which writes everything needed to repeat an agent's chosen trial."""

from argparse import Namespace

from lib.cli.command import Command
from lib.cli.experiments import load_experiment
from lib.schemas.document import now


def write_provenance(options: Namespace) -> None:
    """Write an agent's provenance.json."""
    from lib.evaluation.provenance import trial_provenance

    started = now()
    found = trial_provenance(load_experiment(options), started)
    found.write(options.results / options.agent / found.FILE)


COMMAND = Command(
    "provenance",
    "Write everything needed to repeat an agent's chosen trial.",
    write_provenance,
    agent=True,
)
