"""What a command of the command line is: a name, a sentence of help, its arguments and its action."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


def _no_arguments(parser: ArgumentParser) -> None:
    """Add nothing."""


@dataclass(frozen=True)
class Command:
    """A command. agent: whether it takes the name of an agent; settings: whether it reads the resolved settings.

    Its action imports what it needs when it runs, so that --help is instant.
    """

    name: str
    help: str
    run: Callable[[Namespace], None]
    add_arguments: Callable[[ArgumentParser], None] = _no_arguments
    agent: bool = False
    settings: bool = True


def add_results(parser: ArgumentParser) -> None:
    """Add the folder of all results."""
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of all results")


def add_configuration(parser: ArgumentParser) -> None:
    """Add the files that make up a configuration."""
    parser.add_argument("--config", type=Path, action="append", default=[], help="YAML file; later ones override")
    parser.add_argument("--json", help="a configuration as JSON that overrides the files")
