"""Measure the time that a study's storage takes to begin a trial, suggest its parameters and end it.

Parameters of the production space are drawn at random, so that the storage is measured and not the sampler. The
objective sleeps, since real ones take seconds to minutes; without it, processes would mostly wait for each other.
Several processes use the journal and PostgreSQL at once, and one uses SQLite. At the end the benchmark checks that
every trial is stored exactly once.
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
from lib.studies.budget import Budget
from lib.studies.location import StudyLocation
from lib.studies.study import SharedStudy, suggest_params
from lib.studies.worker_registry import WorkerRegistry


def open_study(folder: Path, url: str | None) -> SharedStudy:
    """Open the study of the benchmark, or create it.

    Args:
        folder: Folder of the journal and its locks.
        url: URL of a database, or None for the journal.

    Returns:
        The study.
    """
    pruner = optuna.pruners.NopPruner()
    return SharedStudy(
        StudyLocation("bench/storage", folder, url), directions=["maximize"], pruner=pruner, identity={}
    )


def run_trials(folder: Path, url: str | None, trials: int, objective: float, space: Space, results: Any) -> None:
    """Run trials until the study has enough of them.

    Args:
        folder: As in `open_study`.
        url: As in `open_study`.
        trials: Number of trials of the study, shared by all processes.
        objective: Seconds that a trial sleeps.
        space: The parameters that are suggested.
        results: Queue that gets the list of (ask, suggest, tell) seconds of this process's trials.
    """
    study, registry = open_study(folder, url), WorkerRegistry(folder / "processes")
    seconds = []
    begun = time.perf_counter()
    budget = Budget(trials)
    for trial in study.claim_trials(budget, registry, lambda number: optuna.samplers.RandomSampler(seed=number)):
        asked = time.perf_counter()
        params = suggest_params(trial, space)
        suggested = time.perf_counter()
        time.sleep(objective)
        tell = time.perf_counter()
        study.end_trial(trial, {"seeds": [0.5]}, TrialState.COMPLETE, [params["optim.lr"]])
        ended = time.perf_counter()
        seconds.append((asked - begun, suggested - asked, ended - tell))
        begun = ended
    registry.close()
    results.put(seconds)


def measure_storage(
    name: str, url: str | None, workers: int, options: argparse.Namespace, space: Space, folder: Path
) -> None:
    """Run a study in several processes, and print the times of a trial.

    Args:
        name: The storage's name, for the output.
        url: As in `open_study`.
        workers: Number of processes. A single one does not sleep, since it waits for no other.
        options: Give the number of trials and the seconds that a trial sleeps.
        space: The parameters that are suggested.
        folder: As in `open_study`.
    """
    open_study(folder, url)
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    objective = options.objective if workers > 1 else 0.0
    trials, words = options.trials, (folder, url, options.trials, objective, space, results)
    processes = [context.Process(target=run_trials, args=words) for _ in range(workers)]
    for process in processes:
        process.start()
    seconds = [each for _ in processes for each in results.get()]
    for process in processes:
        process.join()
    finished = open_study(folder, url).finished_trials()
    assert [trial.number for trial in finished] == list(range(trials)), f"{len(finished)} of {trials}"
    assert all(trial.state == TrialState.COMPLETE for trial in finished)
    milliseconds = 1000 * np.array(seconds)
    ask, suggest, tell = np.median(milliseconds, axis=0)
    both = milliseconds[:, 0] + milliseconds[:, 2]
    share = milliseconds.sum(axis=1).mean() / (milliseconds.sum(axis=1).mean() + 1000 * objective)
    print(
        f"{name}, processes: {workers}; ask + tell median {np.median(both):.1f} ms,"
        f" p95 {np.percentile(both, 95):.1f} ms (ask {ask:.1f}, tell {tell:.1f});"
        f" {len(space.parameters)} parameters {suggest:.1f} ms; storage is {share:.2%} of a trial of {objective} s;"
        f" {len(finished)} of {trials} trials, none twice",
        flush=True,
    )


def run() -> None:
    """Measure the journal, SQLite and PostgreSQL, if that is installed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=320, help="number of trials of each study")
    parser.add_argument("--workers", type=int, default=8, help="number of processes, except for SQLite")
    parser.add_argument("--objective", type=float, default=5.0, help="seconds that a trial sleeps")
    options = parser.parse_args()
    raw = merge(read_yaml(Path("config/config.yaml")), read_yaml(Path("config/supermax.yaml")))
    space = load_settings(raw).space
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        measure_storage("journal", None, options.workers, options, space, root / "journal")
        measure_storage("SQLite", f"sqlite:///{root}/studies.db", 1, options, space, root / "sqlite")
        if postgres_programs() is None:
            print("PostgreSQL is not installed (Debian: apt-get install postgresql); not measured")
            return
        with postgres(root / "server") as url:
            measure_storage("PostgreSQL", url, options.workers, options, space, root / "postgres")


if __name__ == "__main__":
    run()
