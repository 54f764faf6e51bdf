"""The command `status`: where every study stands."""

import time
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from lib.settings.load import read_settings

if TYPE_CHECKING:
    pass
from lib.cli.command import Command


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--watch", type=float, metavar="SECONDS", help="repeat every so many seconds")


def show_status(options: Namespace) -> None:
    """Say where every study stands."""
    from lib.search.status import describe

    settings = read_settings(options.settings)
    while True:
        print(describe(settings, options.results))
        if options.watch is None:
            return
        time.sleep(options.watch)


COMMAND = Command(
    "status",
    "Show where every study stands.",
    show_status,
    add_arguments,
)
