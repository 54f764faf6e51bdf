"""The command `schema`, which writes the JSON schema of the configuration."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from lib.cli.command import Command
from lib.files.atomic import write_json
from lib.settings.load import json_schema


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--output", type=Path, default=Path("config/config.schema.json"), help="file to write")


def write_schema(options: Namespace) -> None:
    """Write the JSON schema, with which editors check a configuration."""
    write_json(options.output, json_schema())


COMMAND = Command(
    "schema",
    "Write the JSON schema of the configuration.",
    write_schema,
    add_arguments,
    settings=False,
)
