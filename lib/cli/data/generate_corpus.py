"""The command `generate-corpus`, which writes a generated corpus."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from lib.cli.command import Command, echo
from lib.settings.load import read_settings


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--output", type=Path, required=True, help="folder to write")


def write_generated_corpus(options: Namespace) -> None:
    """Write posts.csv and annotations.csv of a generated corpus."""
    from lib.generated_corpus.generate import generate_corpus

    generator = read_settings(options.settings).config.generator
    generate_corpus(options.output, posts=generator.posts, seed=generator.seed, words=generator.words)
    echo(f"generated {generator.posts} posts in {options.output}; no person wrote them")


COMMAND = Command(
    "generate-corpus",
    "Write a generated corpus in ReDSM5's format.",
    write_generated_corpus,
    add_arguments,
)
