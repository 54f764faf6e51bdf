"""The command `completion`: completion for shells."""

from argparse import ArgumentParser, Namespace

from lib.cli.command import Command


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("shell", choices=["bash", "zsh", "tcsh"], help="its name")


def print_completion(options: Namespace) -> None:
    """Print the completion of clinical-search."""
    import shtab

    from lib.cli.main import parser  # which imports this module

    commands = parser()
    commands.prog = "clinical-search"
    print(shtab.complete(commands, shell=options.shell))


COMMAND = Command(
    "completion",
    "Print the completion of the command clinical-search for a shell.",
    print_completion,
    add_arguments,
    settings=False,
)
