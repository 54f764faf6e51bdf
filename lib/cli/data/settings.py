"""The command `settings`: check the configuration and write it resolved."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from lib.cli.command import Command, add_configuration
from lib.settings.load import resolve_settings, save_settings


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_configuration(parser)
    parser.add_argument("--output", type=Path, default=Path("results/settings.json"), help="file")


def write_settings(options: Namespace) -> None:
    """Check and resolve the configuration."""
    save_settings(resolve_settings(options.config, options.json), options.output)


COMMAND = Command(
    "settings",
    "Check the configuration and write it resolved.",
    write_settings,
    add_arguments,
    settings=False,
)
