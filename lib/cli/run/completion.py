"""The command `completion`, which prints shell completion."""

from argparse import ArgumentParser, Namespace

from lib.cli.command import Command


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("shell", choices=["bash", "zsh", "tcsh"], help="name of the shell")


def print_completion(options: Namespace) -> None:
    """Print the completion script of clinical-search for a shell."""
    import shtab

    from lib.cli.main import parser  # which imports this module

    commands = parser()
    commands.prog = "clinical-search"
    print(shtab.complete(commands, shell=options.shell))


COMMAND = Command(
    "completion",
    "Print the completion script of clinical-search for a shell.",
    print_completion,
    add_arguments,
    settings=False,
)
