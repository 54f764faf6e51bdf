"""The command `settings`, which checks the configuration and writes it with all files resolved."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from lib.cli.command import Command, add_configuration
from lib.settings.load import resolve_settings, save_settings


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_configuration(parser)
    parser.add_argument("--output", type=Path, default=Path("results/settings.json"), help="file to write")


def write_settings(options: Namespace) -> None:
    """Check the configuration and write the resolved settings."""
    save_settings(resolve_settings(options.config, options.json), options.output)


COMMAND = Command(
    "settings",
    "Check the configuration and write the resolved settings.",
    write_settings,
    add_arguments,
    settings=False,
)
