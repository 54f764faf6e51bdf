"""Share the code of the workers of Stages A and B, whose processes can share a GPU."""

import argparse
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from lib.cli.experiments import training_experiment
from lib.settings.load import read_settings

if TYPE_CHECKING:
    from lib.search.strategies import SearchStrategy


def add_worker_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of a worker."""
    parser.add_argument(
        "--output", type=Path, required=True, help="JSON file that reports which trials this process ran"
    )
    parser.add_argument("--subprocess", action="store_true", help=argparse.SUPPRESS)


def run_workers(options: Namespace, strategy: "SearchStrategy") -> None:
    """Run trials of a study, with further processes on the same GPU, and write a report of these trials.

    Args:
        options: Arguments of the worker.
        strategy: How the stage searches.

    Raises:
        UserError: A further process failed, or a setting is wrong.
    """
    from lib.cli.gpu_processes import WorkerSubprocesses, end_with_parent, leased_gpu
    from lib.schemas.search import WorkerReport

    if options.subprocess:
        end_with_parent()
    settings = read_settings(options.settings)
    with leased_gpu(settings, wanted=not options.subprocess):
        # They start after the GPU is leased, because they inherit it.
        subprocesses = None if options.subprocess else WorkerSubprocesses(options, settings.config.trials_per_gpu)
        with training_experiment(options, gpu=False) as experiment:
            from lib.search.worker import run_worker

            report = run_worker(experiment, strategy)
        for output in subprocesses.wait_for_reports() if subprocesses is not None else []:
            report = report.merged_with(WorkerReport.read(output))
            output.unlink()
        report.write(options.output)
