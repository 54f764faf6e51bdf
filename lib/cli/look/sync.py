"""The command `sync`, which uploads new results to MLflow."""

import sys
import time
from argparse import ArgumentParser, Namespace
from itertools import product
from pathlib import Path

from lib.cli.command import Command
from lib.errors import UserError
from lib.files.atomic import write_json
from lib.files.locks import wait_for_lock
from lib.settings.load import Settings, read_settings


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--agent", action="append", default=[], help="upload this agent only; may be repeated")
    parser.add_argument("--watch", type=float, metavar="SECONDS", help="repeat at this interval")
    parser.add_argument("--tolerant", action="store_true", help="succeed even if the server cannot be reached")
    parser.add_argument("--output", type=Path, help="JSON file that reports what was uploaded")


def sync(options: Namespace) -> None:
    """Upload new results, once or repeatedly.

    With --tolerant or --watch, a server that cannot be reached is reported once and is not an error.

    Raises:
        UserError: An agent is not configured, tracking is off, or the server cannot be reached.
    """
    settings = read_settings(options.settings)
    agents = options.agent or list(settings.config.agents)
    for agent in agents:
        if agent not in settings.config.agents:
            raise UserError(
                f"agent '{agent}' is not in the configuration (agents: {', '.join(settings.config.agents)})"
            )
    if settings.config.tracking.uri is None:
        raise UserError("tracking.uri is null: nothing is tracked; set it, e.g. to sqlite:///results/mlflow.db")
    unreachable = False
    while True:
        uploaded: dict[str, int] = {}
        try:
            uploaded = _upload(settings, options.results, agents)
            unreachable = False
        except UserError as error:
            if not (options.tolerant or options.watch):
                raise
            if not unreachable:
                print(*error.lines, sep="\n", file=sys.stderr, flush=True)
            unreachable = True
        if options.output is not None:
            report = {"uri": settings.config.tracking.uri, "uploaded": not unreachable, "runs": uploaded}
            write_json(options.output, report)
        if options.watch is None:
            return
        time.sleep(options.watch)


def _upload(settings: Settings, results: Path, agents: list[str]) -> dict[str, int]:
    from lib.settings.outer_folds import search_folders
    from lib.tracking.records import stage_records
    from lib.tracking.uploading import Tracker, configure_mlflow

    uri = settings.config.tracking.uri
    assert uri is not None
    configure_mlflow(uri)
    uploaded = {}
    # One upload at a time, because another would upload the same runs again, and SQLite has one writer.
    with wait_for_lock(results / ".tracking.lock"):
        tracker = Tracker(uri, results)
        for folder, agent in product(search_folders(settings.config, results), agents):
            for stage in stage_records(settings, folder, agent):
                uploaded[stage.experiment] = tracker.upload(stage)
                # The model of an outer fold is no product.
                if stage.experiment == f"{agent}/final" and (model := folder / agent / "model").exists():
                    tracker.register(model, agent, stage.parent.key)
    print(f"{uri}: {sum(uploaded.values())} new runs in {len(uploaded)} experiments", file=sys.stderr, flush=True)
    return uploaded


COMMAND = Command(
    "sync",
    "Upload new results to MLflow.",
    sync,
    add_arguments,
)
