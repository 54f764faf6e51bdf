"""Measure the cost that Snakemake, start-up, sampler, storage and results add to the trainings of Stage A.

The first measurement replaces trainings by a function that takes no time, over the production space, and gives the
cost of a trial. The second one runs the embedded default and gives the share of time outside of trainings. Corpus and
backbones are prepared before the time is taken.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from support.checkouts import ROOT, copy_repository

from lib.settings.load import merge, read_yaml

TARGET = "results/criteria/stage_a_top50.json"
# Programs for sitecustomize.py, which Python imports at its start.
INSTANT = """
import sys
if "stage-a-worker" in sys.orig_argv:
    from types import SimpleNamespace
    from lib.experiment import experiment
    from lib.training.engine import TrainingResult

    def run(self, params, split, *, epochs, on_epoch=None):
        highest = 0.9 - abs(params["head.dropout"] - 0.2) - abs(params.get("schedule.warmup", 0.0) - 0.1)
        history = []
        for epoch in range(1, epochs + 1):
            scores = {"objective": highest * (1 - 0.5**epoch), "calibration_error": 0.1}
            history.append({"epoch": epoch, "loss": 1.0, **scores, "by_policy": {"threshold": scores}})
            if on_epoch is not None and on_epoch(epoch, scores["objective"]):
                raise experiment.TrialPruned(
                    TrainingResult(scores, best_epoch=epoch, history=history, stopped="pruned")
                )
        return SimpleNamespace(key="", scores=scores, best_epoch=epochs, history=history, stopped="epochs")

    experiment.Experiment.run = run
"""
TIMED = """
import sys
if "stage-a-worker" in sys.orig_argv:
    import time
    from lib.experiment import experiment

    original = experiment.train

    def train(*words, **more):
        began = time.perf_counter()
        try:
            return original(*words, **more)
        finally:
            with open("training_seconds", "a") as file:
                print(time.perf_counter() - began, file=file)

    experiment.train = train
"""


def time_stage_a(folder: Path, config: dict[str, Any], program: str) -> float:
    """Prepare a copy of the repository, and run Stage A in it.

    Args:
        folder: An empty folder for the copy.
        config: The overlay of the configuration.
        program: The text of sitecustomize.py.

    Returns:
        The seconds of Stage A.
    """
    copy_repository(folder, overlay=config)
    (folder / "sitecustomize.py").write_text(program)
    environment = os.environ | {"PYTHONPATH": str(folder)}
    command = ["snakemake", "--cores", "2", "--resources", "gpu=2", "--configfile", "overlay.yaml", "--"]
    backbones = [
        f"results/backbones/{name}/backbone.json" for name in config["constraints"]["model.backbone"]["choices"]
    ]
    say = None if "--verbose" in sys.argv else subprocess.DEVNULL
    options: dict[str, Any] = {"cwd": folder, "env": environment, "stdout": say, "stderr": say}
    subprocess.run([*command, *backbones, "results/criteria/tfidf/manifest.json"], check=True, **options)
    began = time.perf_counter()
    subprocess.run([*command, TARGET], check=True, **options)
    return time.perf_counter() - began


def measure_instant_trials(trials: int, workers: int) -> None:
    """Measure trials without trainings over the production space, and print the seconds per trial and worker.

    Args:
        trials: Number of trials.
        workers: Number of workers, which share them.
    """
    space = read_yaml(ROOT / "config/supermax.yaml")["constraints"]
    tiny = {"choices": ["tiny-bert", "tiny-roberta"]}
    more = {"model.backbone": tiny, "joint.backbone": tiny, "aug.enabled": {"choices": [False]}}
    config = {
        "constraints": merge(space, more),
        "generator": {"posts": 60},
        "training": {"device": "cpu", "epochs": 4},
        "workers": workers,
        "stage_a": {"trials": trials, "seeds": 2, "startup_trials": 50},
    }
    with tempfile.TemporaryDirectory() as folder:
        seconds = time_stage_a(Path(folder), config, INSTANT)
        counts = json.loads((Path(folder) / TARGET).read_text())["counts"]
        assert not list((Path(folder) / "results/criteria/runs").glob("*")), "trials trained"
    assert sum(counts.values()) == trials
    each = seconds * workers / trials
    print(
        f"{trials} trials without training, workers: {workers}; {seconds:.1f} s, {each:.3f} s per trial and worker",
        flush=True,
    )


def measure_embedded_default() -> None:
    """Measure the embedded default, and print the share of its time that is not spent on training."""
    config = {"constraints": read_yaml(ROOT / "config/config.yaml")["constraints"]}
    with tempfile.TemporaryDirectory() as folder:
        seconds = time_stage_a(Path(folder), config, TIMED)
        training = sum(map(float, (Path(folder) / "training_seconds").read_text().split()))
    print(
        f"embedded default: {seconds:.1f} s, of which training {training:.1f} s;"
        f" the rest is {1 - training / seconds:.1%}"
    )


def run() -> None:
    """Measure, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000, help="number of trials without training")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="numbers of workers to measure")
    parser.add_argument("--skip-embedded", action="store_true", help="measure only trials without training")
    parser.add_argument("--verbose", action="store_true", help="show the output of Snakemake")
    options = parser.parse_args()
    for workers in options.workers:
        measure_instant_trials(options.trials, workers)
    if not options.skip_embedded:
        measure_embedded_default()


if __name__ == "__main__":
    run()
