"""The command `estimate`, which estimates the cost of an agent's search on this machine."""

import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lib.cli.command import Command
from lib.cli.experiments import training_experiment
from lib.errors import UserError
from lib.settings.load import Settings, read_settings

if TYPE_CHECKING:
    from lib.search.estimate import MachineTimings


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to measure, in seconds")


def estimate(options: Namespace) -> None:
    """Print the estimated cost of an agent's search on this machine, stage by stage.

    Raises:
        UserError: The corpus or a backbone has not been prepared.
    """
    import psutil

    from lib.agents import check_agent
    from lib.reporting.costs import cost_of, read_costs, total_cost
    from lib.schemas.corpus import CorpusManifest
    from lib.search.estimate import disk_mb, estimate_stages, measure_machine
    from lib.settings.outer_folds import search_folders

    check_agent(options.agent)
    settings = read_settings(options.settings)
    for needed in [options.results / "corpus" / CorpusManifest.FILE, *_manifests(settings, options.results)]:
        if not needed.exists():
            raise UserError(f"{needed} is missing; run 'snakemake --cores 2 prepared' first")
    with training_experiment(options, gpu=False) as experiment:
        job = time.time() - psutil.Process().create_time()
        print(f"measuring for {options.seconds:g} s on {experiment.device}", file=sys.stderr)
        timings = measure_machine(experiment, options.seconds, job)
        gpu = experiment.device.torch.type == "cuda"
    rates = settings.config.costs
    own, *outer = (folder / options.agent for folder in search_folders(settings.config, options.results))
    actual = {c.stage: c.hours for c in read_costs(own, rates, gpu=gpu, outer=outer)}
    stages = estimate_stages(settings.config, timings)
    rows = [cost_of(part.stage, part.trainings, part.hours, rates, gpu=gpu) for part in stages]
    names = ("trainings", "epochs", "hours", "GPU h", "kWh", rates.currency, "actual h")
    print(f"{'':12s} " + " ".join(f"{n:>{w}s}" for n, w in zip(names, (9, 7, 8, 8, 8, 8, 9), strict=True)))
    whole = total_cost(rows)
    done = [actual[part.stage] for part in stages if part.stage in actual]
    lines = [(row, part.epochs, actual.get(row.stage)) for row, part in zip(rows, stages, strict=True)]
    for row, epochs, took in [
        *lines,
        (whole, sum(p.epochs for p in stages), sum(done) if len(done) == len(rows) else None),
    ]:
        print(
            f"{row.stage:12s} {row.jobs:9d} {epochs:7d} {row.hours:8.3f} {row.gpu_hours:8.3f} {row.kwh:8.2f}"
            f" {row.money:8.2f} {'' if took is None else f'{took:.3f}':>9s}"
        )
    _print_notes(settings, timings, gpu=gpu)
    sizes = sum(p.stat().st_size for p in (options.results / "backbones").rglob("*") if p.is_file()) / 2**20
    for name, size in disk_mb(settings.config, timings, list(settings.backbones), sizes).items():
        print(f"disk: {size:8.0f} MB for {name}")


def _print_notes(settings: Settings, timings: "MachineTimings", *, gpu: bool) -> None:
    config = settings.config
    processes = config.workers * config.trials_per_gpu
    print(
        f"An epoch of a mean configuration takes {timings.development_epoch:.1f} s on this machine."
        f" Hours are summed over jobs ({'one GPU each' if gpu else f'{config.training.threads} threads each'});"
        f" Stages A and B run {processes} trainings at once. Patience can end trainings earlier."
        " Augmentation is not included."
    )


def _manifests(settings: Settings, results: Path) -> Iterator[Path]:
    from lib.schemas.backbone import BackboneManifest

    for name in settings.backbones:
        yield results / "backbones" / name / BackboneManifest.FILE


COMMAND = Command(
    "estimate",
    "Estimate the cost of an agent's search on this machine.",
    estimate,
    add_arguments,
    agent=True,
)
