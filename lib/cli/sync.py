"""The command `sync`: upload to MLflow what it does not know yet."""

import sys
import time
from argparse import Namespace
from pathlib import Path

from lib.errors import UserError
from lib.files.atomic import write_json
from lib.files.locks import waiting_for
from lib.settings.load import Settings, read_settings


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
    with waiting_for(results / ".tracking.lock"):
        tracker = Tracker(settings.config.tracking.uri, results)
        for agent in agents:
            for group in groups(settings, results, agent):
                told[group.experiment] = tracker.tell(group)
                if group.experiment.endswith("/final") and (folder := results / agent / "model").exists():
                    tracker.register(folder, agent, group.parent.key)
    new = sum(told.values())
    print(f"{settings.config.tracking.uri}: {new} new runs in {len(told)} experiments", file=sys.stderr, flush=True)
    return told
