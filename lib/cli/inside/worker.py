"""What the workers of Stages A and B share: their arguments, and running trials with partners on the same GPU."""

import argparse
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from lib.cli.common import training_experiment
from lib.settings.load import read_settings

if TYPE_CHECKING:
    from lib.search.strategies import SearchStrategy


def add_worker_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of a worker."""
    parser.add_argument("--output", type=Path, required=True, help="file that says which trials this process ran")
    parser.add_argument("--partner", action="store_true", help=argparse.SUPPRESS)


def work(options: Namespace, strategy: "SearchStrategy") -> None:
    """Run trials of a study, with partners on the same GPU, and write which.

    Args:
        options: Of the command.
        strategy: How the stage searches.
    """
    from lib.cli.processes import Partners, end_with_parent, leased_gpu
    from lib.schemas.search import WorkerReport

    if options.partner:
        end_with_parent()
    settings = read_settings(options.settings)
    with leased_gpu(settings, wanted=not options.partner):
        # Partners start once the GPU is leased: they inherit it.
        partners = None if options.partner else Partners(options, settings.config.trials_per_gpu)
        with training_experiment(options, gpu=False) as experiment:
            from lib.search.worker import run_worker

            report = run_worker(experiment, strategy)
        for output in partners.outputs() if partners is not None else []:
            report = report.merged_with(WorkerReport.read(output))
            output.unlink()
        report.write(options.output)
