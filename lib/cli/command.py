"""Define a command of the command line by its name, help, arguments and action."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


def _no_arguments(parser: ArgumentParser) -> None:
    """Add nothing."""


@dataclass(frozen=True)
class Command:
    """A command.

    The action imports the modules that it needs when it runs, so that --help is fast.

    Attributes:
        name: Name on the command line.
        help: One sentence for --help.
        run: The action, called with the parsed arguments.
        add_arguments: Adds the command's own arguments to its parser.
        agent: Whether the command takes the name of an agent.
        settings: Whether it reads the resolved settings and the results folder.
        online: Whether it may use the network.
    """

    name: str
    help: str
    run: Callable[[Namespace], None]
    add_arguments: Callable[[ArgumentParser], None] = _no_arguments
    agent: bool = False
    settings: bool = True
    online: bool = False


def echo(text: str) -> None:
    """Print a line for the user on standard error."""
    print(text, file=sys.stderr, flush=True)


def add_results(parser: ArgumentParser) -> None:
    """Add the option for the folder of all results."""
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of all results")


def add_configuration(parser: ArgumentParser) -> None:
    """Add the options for the files of a configuration."""
    parser.add_argument(
        "--config",
        type=Path,
        action="append",
        default=[],
        help="YAML file; may be repeated; later files override earlier ones",
    )
    parser.add_argument("--json", help="configuration as JSON; overrides the files")
