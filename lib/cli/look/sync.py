"""The command `sync`: upload to MLflow what it does not have yet."""

import sys
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path

from lib.cli.command import Command
from lib.errors import UserError
from lib.files.atomic import write_json
from lib.files.locks import wait_for_lock
from lib.settings.load import Settings, read_settings


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--agent", action="append", default=[], help="only this one; may be repeated")
    parser.add_argument("--watch", type=float, metavar="SECONDS", help="repeat, beside a running search")
    parser.add_argument("--tolerant", action="store_true", help="report a server that cannot be reached, and succeed")
    parser.add_argument("--output", type=Path, help="file that says what was uploaded")


def sync(options: Namespace) -> None:
    """Upload results, once or again and again. With --tolerant a dead server is a line, not a failure."""
    settings = read_settings(options.settings)
    agents = options.agent or list(settings.config.agents)
    for agent in agents:
        if agent not in settings.config.agents:
            raise UserError(f"agent '{agent}' is none of the configuration's: {', '.join(settings.config.agents)}")
    if settings.config.tracking.uri is None:
        raise UserError("tracking.uri is null: nothing is tracked; set it, e.g. to sqlite:///results/mlflow.db")
    said = False
    while True:
        told: dict[str, int] = {}
        try:
            told = _upload(settings, options.results, agents)
            said = False
        except UserError as error:
            if not (options.tolerant or options.watch):
                raise
            if not said:
                print(*error.lines, sep="\n", file=sys.stderr, flush=True)
            said = True
        if options.output is not None:
            write_json(options.output, {"uri": settings.config.tracking.uri, "uploaded": not said, "runs": told})
        if options.watch is None:
            return
        time.sleep(options.watch)


def _upload(settings: Settings, results: Path, agents: list[str]) -> dict[str, int]:
    from lib.tracking.records import groups
    from lib.tracking.uploading import Tracker

    assert settings.config.tracking.uri is not None
    told = {}
    # One upload at a time: another would tell the same a second time, and SQLite has one writer.
    with wait_for_lock(results / ".tracking.lock"):
        tracker = Tracker(settings.config.tracking.uri, results)
        for agent in agents:
            for group in groups(settings, results, agent):
                told[group.experiment] = tracker.tell(group)
                if group.experiment.endswith("/final") and (folder := results / agent / "model").exists():
                    tracker.register(folder, agent, group.parent.key)
    new = sum(told.values())
    print(f"{settings.config.tracking.uri}: {new} new runs in {len(told)} experiments", file=sys.stderr, flush=True)
    return told


COMMAND = Command(
    "sync",
    "Upload to MLflow what it does not have yet.",
    sync,
    add_arguments,
)
