"""Fixed hyper-parameters and the preparation of a project, for all benchmarks."""

import json
import os
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from lib.augmentation.methods import METHODS
from lib.cli.main import main
from lib.devices.process import keep_freed_memory, training_process
from lib.experiment.experiment import Experiment
from lib.settings.load import Settings, load_settings, merge, read_settings, read_yaml, save_settings
from lib.tasks.examples import WeightedSample

ROOT = Path(__file__).resolve().parents[1]
# Contexts that stay open until the process ends.
_CONTEXTS = ExitStack()

# A configuration of MiniLM with the kind of head that transformers' own classifiers have. It trains on the annotated
# pairs only.
FIXED: dict[str, Any] = {
    "model.backbone": "minilm",
    "model.pooling": "cls",
    "model.gradient_checkpointing": False,
    "head.layers": 2,
    "head.hidden": 384,
    "head.activation": "tanh",
    "head.dropout": 0.1,
    "data.unannotated": 0.0,
    "data.max_length": 256,
    "data.overlap": 0.25,
    "optim.name": "adamw",
    "optim.lr": 2e-4,
    "optim.head_lr_factor": 1.0,
    "optim.layer_decay": 1.0,
    "optim.weight_decay": 0.0,
    "optim.ema_decay": 0.0,
    "optim.batch_size": 32,
    "optim.accumulation": 1,
    "optim.clip_norm": 1.0,
    "schedule.name": "linear",
    "schedule.warmup": 0.0,
    "loss.label_smoothing": 0.0,
    "loss.positive_weight": 1.0,
    "loss.focal_gamma": 0.0,
    "loss.span_weight": 0.5,
    "span.max_answer": 64,
    "null_policy.name": "none",
    "joint.backbone": "minilm",
    "joint.fusion": "add",
    "joint.dropout": 0.0,
    "aug.enabled": False,
    "aug.p_apply": 0.05,
    "aug.ops_per_sample": 1,
    "aug.max_replace": 0.1,
    "aug.antonym_guard": "off",
    "aug.strategy": "all",
    **{f"aug.weight_{name}": 1.0 for name in METHODS},
}
# The same with unannotated negatives, for scores at natural prevalence.
NATURAL: dict[str, Any] = FIXED | {
    "model.pooling": "mean",
    "data.unannotated": 5.0,
    "data.max_length": 192,
    "optim.lr": 1.5e-4,
    "optim.weight_decay": 0.01,
    "schedule.warmup": 0.1,
    "null_policy.name": "threshold",
}
# Of a corpus whose unannotated pairs are unknown, only the annotated pairs are examples.
ANNOTATED_ONLY: dict[str, Any] = {
    "corpus": {"unannotated_means": "unknown"},
    "objective": {"metric": "f1_yes_no", "population": "annotated"},
}
# What benchmarks change in the embedded default, which is made for a first run of minutes.
DEFAULTS: dict[str, Any] = {
    "generator": {"posts": 600, "words": 150},
    "corpus": {"test_fraction": 0.15, "unannotated": 5.0},
    "constraints": {"model.backbone": {"choices": ["minilm"]}, "joint.backbone": {"choices": ["minilm"]}},
}
# For trainings whose speed is measured, so that nothing is scored between their epochs.
NO_VALIDATION = WeightedSample.uniform(np.array([], dtype=np.int64))


def write_benchmark_settings(corpus: str | None, /, **more: Any) -> None:
    """Write results/settings.json in the working directory, which must contain config/.

    Args:
        corpus: Folder of a corpus, or None for a generated one.
        **more: Entries of the configuration that are merged into the defaults.
    """
    raw = merge(merge(read_yaml("config/config.yaml"), DEFAULTS), more)
    if corpus:
        raw = merge(raw, {"corpus": {"dir": corpus}})
    save_settings(load_settings(raw, ["config/config.yaml"]), "results/settings.json")


def prepare_project(corpus: str | None, backbones: Sequence[str] = ("minilm",), /, **more: Any) -> None:
    """Create settings, corpus and backbones in the working directory, which must contain config/.

    Args:
        corpus: Folder of a corpus, or None to generate one.
        backbones: Names of backbones.
        **more: Entries of the configuration, as in `write_benchmark_settings`.
    """
    write_benchmark_settings(corpus, **more)
    commands = [f"corpus --input {corpus or 'results/generated'}", *(f"backbone {name}" for name in backbones)]
    for command in commands if corpus else ["generate-corpus --output results/generated", *commands]:
        assert main(command.split()) == 0, command


def run_graph(overlay: dict[str, Any], target: str) -> None:
    """Run the graph with the embedded default in the working directory, as a user does.

    Args:
        overlay: What differs from the embedded default; it is written to overlay.json.
        target: The file or rule to make.

    Raises:
        subprocess.CalledProcessError: A job failed.
    """
    Path("overlay.json").write_text(json.dumps(overlay))
    if not Path("config").exists():
        Path("config").symlink_to(ROOT / "config")
    command = ["snakemake", "--snakefile", str(ROOT / "workflow/Snakefile"), "--cores", "2", "--resources", "gpu=1"]
    command += ["--configfile", str(ROOT / "config/config.yaml"), "overlay.json", "--", target]
    subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True)


def benchmark_experiment(agent: str, settings: Settings | None = None) -> Experiment:
    """Prepare this process for trainings, and return an agent's experiment in the working directory.

    Args:
        agent: The agent's name.
        settings: By default those of results/settings.json.

    Returns:
        The experiment.
    """
    settings = settings or read_settings("results/settings.json")
    keep_freed_memory()
    _CONTEXTS.enter_context(training_process(settings.config.training.threads))
    return Experiment(settings, agent, Path("results"))
