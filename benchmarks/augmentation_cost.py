"""Measure the cost of augmentation in a training.

Three in ten annotated examples get three methods each, drawn from all methods. The bank is computed first, as in the
graph, and its time and size are printed. Then MiniLM and a tiny backbone are trained with and without augmentation in
turn, on the annotated examples alone, since others are never augmented. The results are the seconds for data per
second for steps, in the first epoch and in later ones, and the change of throughput.
"""

import argparse
import logging
import re
import statistics
import tempfile
import time
from contextlib import chdir
from pathlib import Path
from typing import Any

import torch
from common import FIXED, NO_VALIDATION, benchmark_experiment, prepare_project

from lib.cli.main import main
from lib.experiment.experiment import Experiment
from lib.settings.hyperparameters import Hyperparameters
from lib.training.data import TrainingData
from lib.training.engine import TrainingOptions, TrainingResult, train

STRENGTH, EPOCHS = 0.3, 3
ON: dict[str, Any] = {
    "aug.enabled": True,
    "aug.p_apply": 0.3,
    "aug.ops_per_sample": 3,
    "aug.max_replace": STRENGTH,
    "aug.strategy": "all",
}


def make_bank(agent: str, processes: int) -> None:
    """Compute the bank, and print its seconds and size.

    Args:
        agent: The agent's name.
        processes: Number of processes.
    """
    began = time.perf_counter()
    for command in ("lexicon", f"tfidf {agent}", f"augmentation-bank {agent} --processes {processes}"):
        assert main(command.split()) == 0, command
    size = sum(file.stat().st_size for file in Path("results/cache/augmentation").iterdir())
    print(f"bank: {time.perf_counter() - began:.0f} s on {processes} processes, {size / 2**20:.1f} MiB")


def trained(experiment: Experiment, hyper: Hyperparameters, ratios: list[float]) -> TrainingResult:
    """Train one configuration.

    Args:
        experiment: The experiment of the agent.
        hyper: The configuration.
        ratios: Is cleared, and then filled by the log handler with the data/step ratio after each epoch.

    Returns:
        The result of the training.
    """
    torch.manual_seed(0)
    features, train_part = experiment.builder.features(hyper), experiment.splits.development(0).train
    known = train_part[experiment.examples.annotated[train_part]]
    augmentation = (
        experiment.builder.augmentation(hyper, features, known, "development-0", 0) if hyper.augment else None
    )
    model, _ = experiment.builder.model(hyper)
    training_data = TrainingData(
        experiment.agent,
        experiment.examples,
        features,
        hyper,
        known,
        NO_VALIDATION,
        experiment.objective,
        augmentation,
    )
    ratios.clear()
    return train(model, training_data, experiment.device, TrainingOptions(epochs=EPOCHS, patience=EPOCHS), seed=0)


class _Ratios(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[float] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the ratio that the engine logs after an epoch."""
        if (match := re.search(r"perf/data_step_ratio ([\d.]+)", record.getMessage())) is not None:
            self.found.append(float(match[1]))


def run() -> None:
    """Measure, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", help="folder of a corpus (default: generate one)")
    parser.add_argument("--posts", type=int, default=300, help="number of posts of the generated corpus")
    parser.add_argument("--agent", choices=["criteria", "evidence"], default="criteria")
    parser.add_argument("--runs", type=int, default=3, help="number of measured repetitions")
    parser.add_argument("--processes", type=int, default=2, help="number of processes that compute the bank")
    options = parser.parse_args()
    config = Path("config").resolve()
    corpus = str(Path(options.corpus).resolve()) if options.corpus else None
    listen = _Ratios()
    logging.getLogger("lib.training").addHandler(listen)
    logging.getLogger("lib.training").setLevel(logging.INFO)
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        Path("config").symlink_to(config)
        prepare_project(
            corpus,
            generator={"posts": options.posts, "words": 150},
            constraints={
                "aug.enabled": {"choices": [False, True]},
                "aug.max_replace": {"choices": [STRENGTH]},
                "model.backbone": {"choices": ["minilm", "tiny-bert"]},
            },
        )
        assert main(["backbone", "tiny-bert"]) == 0
        make_bank(options.agent, options.processes)
        experiment = benchmark_experiment(options.agent)
        for backbone in ("minilm", "tiny-bert"):
            report(experiment, backbone, options.runs, listen.found)


def report(experiment: Experiment, backbone: str, runs: int, ratios: list[float]) -> None:
    """Train with and without augmentation in turn, and print medians.

    Args:
        experiment: The experiment of the agent.
        backbone: The backbone's name.
        runs: Number of measured repetitions; one more comes first and warms up the caches.
        ratios: The list that the log handler fills.
    """
    speeds: dict[bool, list[float]] = {False: [], True: []}
    first, later = [], []
    for run in range(runs + 1):
        for augment in (False, True):
            hyper = Hyperparameters.of(FIXED | {"model.backbone": backbone} | (ON if augment else {}))
            performance = trained(experiment, hyper, ratios).performance
            if run == 0:  # warms up the caches of tokens and weights
                continue
            speeds[augment].append(performance["tokens_per_second"])
            if augment:
                first.append(ratios[0])
                # With at most five epochs the moving average is the mean of all ratios.
                later.append((EPOCHS * ratios[-1] - ratios[0]) / (EPOCHS - 1))
    off, on = (statistics.median(speeds[augment]) for augment in (False, True))
    print(
        f"{experiment.agent.name}, {backbone}: data/step {statistics.median(first):.4f} in the first epoch,"
        f" {statistics.median(later):.4f} in later ones; {off:,.0f} tokens/s without, {on:,.0f} with augmentation"
        f" ({on / off - 1:+.1%})"
    )


if __name__ == "__main__":
    run()
