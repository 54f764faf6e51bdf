"""Run the command line, which has a command for each rule of the graph and further ones for users."""

import argparse
import errno
import logging
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from lib.cli.command import Command, add_results
from lib.cli.data import COMMANDS as DATA
from lib.cli.inside import COMMANDS as INSIDE
from lib.cli.look import COMMANDS as LOOK
from lib.cli.model import COMMANDS as MODEL
from lib.cli.run import COMMANDS as RUN
from lib.devices.garbage import collect_garbage_less_often
from lib.errors import UserError

_FULL = {errno.ENOSPC, errno.EDQUOT}
# In the order of --help, with the commands for users first and those for the graph last.
GROUPS: dict[str, Sequence[Command]] = {
    "run": RUN,
    "look": LOOK,
    "model": MODEL,
    "data": DATA,
    "inside (called by the graph)": INSIDE,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: Words of the command line; None for those of this process.

    Returns:
        The exit status: 0, 1 after an error, or 130 after Ctrl-C or SIGTERM.
    """
    options = parser().parse_args(arguments)
    os.umask(0o077)  # only the user may read texts and results
    collect_garbage_less_often()
    _silence_dependencies(offline=not options.online)
    # A cluster's time limit, scancel and Snakemake send SIGTERM: end as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _log_to(options.log)
        options.run(options)
    except UserError as error:
        for line in error.lines:
            logging.getLogger("lib").error(line)
            print(line, file=sys.stderr)
        return 1
    except OSError as error:
        return _report_os_error(error)
    except KeyboardInterrupt:
        print("interrupted; run the same command to continue", file=sys.stderr)
        return 130
    except Exception:
        return _report_bug()
    return 0


def entry() -> None:
    """Run the script `clinical-search`, which is the same as `python -m lib`."""
    sys.exit(main())


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    root = argparse.ArgumentParser(
        prog="python -m lib",
        description="Find the best transformer for clinical text.",
        epilog=_overview(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subparsers = root.add_subparsers(dest="command", required=True, metavar="COMMAND", help="see below")
    for commands in GROUPS.values():
        for command in commands:
            _add_command(subparsers, command)
    return root


def _add_command(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]", command: Command) -> None:
    sub = subparsers.add_parser(command.name, description=command.help)
    sub.set_defaults(run=command.run, online=command.online)
    sub.add_argument("--log", type=Path, default=None, help="log file")
    if command.agent:
        sub.add_argument("agent", help="name of the agent, e.g. criteria")
    if command.settings:
        sub.add_argument(
            "--settings", type=Path, default=Path("results/settings.json"), help="file of resolved settings"
        )
        add_results(sub)
    command.add_arguments(sub)


def _overview() -> str:
    """Return the list of commands by group, one line each."""
    lines = []
    for group, commands in GROUPS.items():
        lines += [f"{group}:", *(f"  {command.name:20s} {command.help}" for command in commands), ""]
    return "\n".join(lines)


def _report_os_error(error: OSError) -> int:
    if isinstance(error, BrokenPipeError):  # the reader of the output has ended, as head does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if error.errno not in _FULL:
        return _report_bug()
    where = f": {error.filename}" if error.filename else ""
    print(f"no space left on the disk{where}; free some, and run the same command to continue", file=sys.stderr)
    return 1


def _report_bug() -> int:
    logging.getLogger("lib").exception("bug")
    traceback.print_exc()
    return 1


def _silence_dependencies(*, offline: bool) -> None:
    """Turn off telemetry and progress bars, and for most commands the network."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["DO_NOT_TRACK"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"


def _log_to(path: Path | None) -> None:
    # Otherwise logging's handler of last resort would print every problem a second time.
    logging.getLogger("lib").addHandler(logging.NullHandler())
    if path is None:
        return
    layout = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        logging.basicConfig(filename=path, level=logging.INFO, format=layout, force=True)
    except OSError as error:
        raise UserError(f"--log: {path} cannot be written ({error.strerror}); name another file") from None
