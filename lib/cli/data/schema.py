"""The command `schema`: write the JSON schema of the configuration."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from lib.cli.command import Command
from lib.files.atomic import write_json
from lib.settings.load import json_schema


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--output", type=Path, default=Path("config/config.schema.json"), help="file")


def write_schema(options: Namespace) -> None:
    """Write the JSON schema for editors."""
    write_json(options.output, json_schema())


COMMAND = Command(
    "schema",
    "Write the JSON schema of the configuration.",
    write_schema,
    add_arguments,
    settings=False,
)
