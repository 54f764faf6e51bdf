"""The command `completion`: for shells."""

from argparse import Namespace

import shtab

from lib.cli.main import parser


def completion(options: Namespace) -> None:
    """Print the completion of clinical-search."""
    commands = parser()
    commands.prog = "clinical-search"
    print(shtab.complete(commands, shell=options.shell))
