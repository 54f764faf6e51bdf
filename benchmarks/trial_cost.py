"""Measure the cost of a trial apart from its steps, which is that of imports, of building a model, and of memory.

The results are the seconds to import the modules of a training and of a search, the seconds from the start of a trial
to its first step, and the resident memory during thirty trials in one process.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import chdir
from pathlib import Path

import numpy as np
from common import FIXED, ROOT, benchmark_experiment, prepare_project

from lib.experiment.experiment import Experiment
from lib.metrics.objective import Objective
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.examples import WeightedSample
from lib.training.batches import training_batches
from lib.training.data import TrainingData
from lib.training.engine import TrainingOptions, train

TRIALS = 30
IMPORTS = {
    "the training path (engine, agents)": "lib.training.engine, lib.agents.criteria, lib.agents.joint",
    "a search (pandas, Optuna, transformers' models)": "lib.search.collect, transformers.models.bert.modeling_bert",
}
HEAVY = ("mlflow", "nlpaug", "textattack", "bitsandbytes", "pytorch_optimizer", "flair")


def import_time(modules: str) -> tuple[float, list[str]]:
    """Return the seconds that a new process takes to import modules, and the heavy packages imported with them."""
    code = (
        f"import time; t = time.perf_counter(); import {modules}; s = time.perf_counter() - t;"
        f"import sys; print(s, *[name for name in {HEAVY!r} if name in sys.modules])"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    seconds, *found = done.stdout.split()
    return float(seconds), found


def resident() -> float:
    """Return this process's resident memory in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def trials(experiment: Experiment, number: int) -> list[tuple[float, float]]:
    """Run trials of one short epoch on annotated pairs in this process.

    Args:
        experiment: The experiment of the agent.
        number: Number of trials.

    Returns:
        For each trial the seconds before its first step, and the resident memory after it in MiB.
    """
    rng, results = np.random.default_rng(0), []
    chosen = rng.permutation(np.flatnonzero(experiment.examples.annotated))[:64]
    validation = WeightedSample.uniform(chosen[:8])
    objective = Objective(metric="f1_yes_no", population="annotated")
    for trial in range(number):
        hyper = Hyperparameters.of(FIXED | {"optim.lr": 1e-5 * (trial + 1), "head.layers": 1 + trial % 3})
        first: list[float] = []

        def begin(*arguments: object, first: list[float] = first) -> object:
            first.append(time.perf_counter())
            return training_batches(*arguments)  # type: ignore[arg-type]

        began = time.perf_counter()
        sys.modules["lib.training.engine"].training_batches = begin  # type: ignore[attr-defined]
        model, features = experiment.builder.model(hyper)
        training_data = TrainingData(
            experiment.agent, experiment.examples, features, hyper, chosen, validation, objective
        )
        train(model, training_data, experiment.device, TrainingOptions(epochs=1, patience=1), seed=trial)
        results.append((first[0] - began, resident()))
        del model, features, training_data
    return results


def run() -> None:
    """Measure, and print the results."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--corpus", help="folder of a corpus (default: generate one)")
    corpus = options.parse_args().corpus
    corpus = str(Path(corpus).resolve()) if corpus else None
    for what, modules in IMPORTS.items():
        seconds, heavy = import_time(modules)
        print(f"import of {what}: {seconds:.2f} s; heavy packages: {', '.join(heavy) or 'none'}")
    config = Path("config").resolve()
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        Path("config").symlink_to(config)
        prepare_project(corpus)
        costs = trials(benchmark_experiment("criteria"), TRIALS)
    later = sorted(cost for cost, _ in costs[1:])
    middle = later[len(later) // 2]
    print(f"start of a trial to its first step: first {costs[0][0]:.2f} s, later ones {middle:.3f} s (median)")
    memory = [costs[i][1] for i in range(4, TRIALS, 5)]
    print("resident memory, MiB:", ", ".join(f"{value:.0f}" for value in memory))
    print(f"growth from the fifth trial to the last: {costs[-1][1] / costs[4][1] - 1:+.1%}")


if __name__ == "__main__":
    run()
