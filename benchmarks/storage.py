"""What does a study's storage cost? Ask, suggest every parameter of the production space, and tell, many times.

Parameters are drawn at random, so that the storage is measured and not the sampler. The objective sleeps: real ones
take seconds to minutes, and without any the waiting of processes for each other would be all there is to see. Journal
and PostgreSQL are used by several processes at once, SQLite by one. Every trial must be there at the end, once.
"""

import argparse
import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState
from support.servers import postgres, postgres_programs

from lib.settings.load import load_settings, merge, read_yaml
from lib.settings.space import Space
from lib.studies.location import StudyLocation
from lib.studies.study import Study, suggest_params
from lib.studies.worker_registry import WorkerRegistry


def open_study(folder: Path, url: str | None) -> Study:
    """Open the study."""
    pruner = optuna.pruners.NopPruner()
    return Study(StudyLocation("bench/storage", folder, url), directions=["maximize"], pruner=pruner, identity={})


def run_trials(folder: Path, url: str | None, trials: int, objective: float, space: Space, results: Any) -> None:
    """Run trials until the budget is reached, and put the seconds of each (ask, suggest, tell) on the queue."""
    study, registry = open_study(folder, url), WorkerRegistry(folder / "processes")
    seconds = []
    begun = time.perf_counter()
    for trial in study.claim_trials(trials, registry, lambda number: optuna.samplers.RandomSampler(seed=number)):
        asked = time.perf_counter()
        params = suggest_params(trial, space)
        suggested = time.perf_counter()
        time.sleep(objective)
        tell = time.perf_counter()
        study.end_trial(trial, {"seeds": [0.5]}, TrialState.COMPLETE, [params["optim.lr"]])
        told = time.perf_counter()
        seconds.append((asked - begun, suggested - asked, told - tell))
        begun = told
    registry.close()
    results.put(seconds)


def measure(
    name: str, url: str | None, workers: int, options: argparse.Namespace, space: Space, folder: Path
) -> None:
    """Run trials in so many processes, and print what the storage took of each."""
    open_study(folder, url)
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    # Alone nobody waits for anybody.
    objective = options.objective if workers > 1 else 0.0
    trials, words = options.trials, (folder, url, options.trials, objective, space, results)
    processes = [context.Process(target=run_trials, args=words) for _ in range(workers)]
    for process in processes:
        process.start()
    seconds = [each for _ in processes for each in results.get()]
    for process in processes:
        process.join()
    over = open_study(folder, url).finished_trials()
    assert [trial.number for trial in over] == list(range(trials)), f"{len(over)} of {trials}"
    assert all(trial.state == TrialState.COMPLETE for trial in over)
    milliseconds = 1000 * np.array(seconds)
    ask, suggest, tell = np.median(milliseconds, axis=0)
    both = milliseconds[:, 0] + milliseconds[:, 2]
    share = milliseconds.sum(axis=1).mean() / (milliseconds.sum(axis=1).mean() + 1000 * objective)
    print(
        f"{name}, {workers} process(es): ask + tell median {np.median(both):.1f} ms,"
        f" p95 {np.percentile(both, 95):.1f} ms (ask {ask:.1f}, tell {tell:.1f});"
        f" {len(space.parameters)} parameters {suggest:.1f} ms; storage is {share:.2%} of a trial of {objective} s;"
        f" {len(over)} of {trials} trials, none twice",
        flush=True,
    )


def run() -> None:
    """Measure journal, SQLite and, where it is installed, PostgreSQL."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=2400)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--objective", type=float, default=0.25, help="seconds that the objective sleeps")
    options = parser.parse_args()
    raw = merge(read_yaml(Path("config/config.yaml")), read_yaml(Path("config/supermax.yaml")))
    space = load_settings(raw).space
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        measure("journal", None, options.workers, options, space, root / "journal")
        measure("SQLite", f"sqlite:///{root}/studies.db", 1, options, space, root / "sqlite")
        if postgres_programs() is None:
            print("PostgreSQL is not installed (Debian: apt-get install postgresql); not measured")
            return
        with postgres(root / "server") as url:
            measure("PostgreSQL", url, options.workers, options, space, root / "postgres")


if __name__ == "__main__":
    run()
