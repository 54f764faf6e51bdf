"""The command `status`, which shows the progress of every study."""

import time
from argparse import ArgumentParser, Namespace

from lib.cli.command import Command
from lib.settings.load import read_settings


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--watch", type=float, metavar="SECONDS", help="repeat at this interval")


def show_status(options: Namespace) -> None:
    """Print the progress of every study, once or repeatedly."""
    from lib.search.status import describe_progress

    settings = read_settings(options.settings)
    while True:
        print(describe_progress(settings, options.results))
        if options.watch is None:
            return
        time.sleep(options.watch)


COMMAND = Command(
    "status",
    "Show the progress of every study.",
    show_status,
    add_arguments,
)
