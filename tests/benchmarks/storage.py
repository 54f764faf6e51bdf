"""What does a study's storage cost? Ask, suggest every parameter of the production space, and tell, many times.

Parameters are drawn at random, so that the storage is measured and not the sampler. Journal and PostgreSQL are used
by several processes at once, SQLite by one. Every trial must be there at the end, once.
"""

import argparse
import multiprocessing
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState

from lib.search.owners import Owners
from lib.search.study import Place, Study
from lib.settings.load import load_settings, merge, read_yaml
from lib.settings.space import Space
from tests.servers import postgres, postgres_programs


def open_study(folder: Path, url: str | None) -> Study:
    """Open the study."""
    pruner = optuna.pruners.NopPruner()
    return Study(Place("bench/storage", folder, url), directions=["maximize"], pruner=pruner, identity={})


def serve(folder: Path, url: str | None, trials: int, space: Space, results: Any) -> None:
    """Do trials until the budget is reached, and put the seconds of each on the queue."""
    study, owners = open_study(folder, url), Owners(folder / "processes")
    seconds = []
    begun = time.perf_counter()
    for trial in study.trials(trials, owners, lambda number: optuna.samplers.RandomSampler(seed=number)):
        params = study.suggest(trial, space)
        study.tell(trial, {"seeds": [0.5]}, TrialState.COMPLETE, [params["optim.lr"]])
        seconds.append(time.perf_counter() - begun)
        begun = time.perf_counter()
    owners.close()
    results.put(seconds)


def measure(name: str, url: str | None, workers: int, trials: int, space: Space, folder: Path) -> None:
    """Serve a study with so many processes, and print what a trial took."""
    open_study(folder, url)
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [context.Process(target=serve, args=(folder, url, trials, space, results)) for _ in range(workers)]
    for process in processes:
        process.start()
    seconds = [each for _ in processes for each in results.get()]
    for process in processes:
        process.join()
    over = open_study(folder, url).over()
    assert [trial.number for trial in over] == list(range(trials)), f"{len(over)} of {trials}"
    assert all(trial.state == TrialState.COMPLETE for trial in over)
    # The last one of each process may have waited for the others.
    milliseconds = sorted(1000 * each for each in seconds)
    print(
        f"{name}, {workers} process(es): ask + {len(space.parameters)} parameters + tell"
        f" median {statistics.median(milliseconds):.1f} ms, p95 {np.percentile(milliseconds, 95):.1f} ms,"
        f" {len(over)} of {trials} trials, none twice",
        flush=True,
    )


def run() -> None:
    """Measure journal, SQLite and, where it is installed, PostgreSQL."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=2400)
    parser.add_argument("--workers", type=int, default=8)
    options = parser.parse_args()
    raw = merge(read_yaml(Path("config/config.yaml")), read_yaml(Path("config/supermax.yaml")))
    space = load_settings(raw).space
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for workers in (1, options.workers):
            measure("journal", None, workers, options.trials, space, root / f"journal-{workers}")
        measure("SQLite", f"sqlite:///{root}/studies.db", 1, options.trials, space, root / "sqlite")
        if postgres_programs() is None:
            print("PostgreSQL is not installed (Debian: apt-get install postgresql); not measured")
            return
        for workers in (1, options.workers):
            with postgres(root / f"server-{workers}") as url:
                measure("PostgreSQL", url, workers, options.trials, space, root / f"postgres-{workers}")


if __name__ == "__main__":
    run()
