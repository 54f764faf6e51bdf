"""What several commands begin with: paths, and what is read from them."""

import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lib.settings.load import Settings, read_settings

if TYPE_CHECKING:
    from lib.corpus.store import Development
    from lib.experiment.experiment import Experiment
    from lib.schemas.evaluation import FoldResult
    from lib.search.study_results import SearchResults


def read_folds(options: Namespace, settings: Settings) -> "list[FoldResult]":
    """Read the folds of all candidates.

    Args:
        options: Of the command: agent and results.
        settings: How many candidates and folds there are.
    """
    from lib.schemas.evaluation import FoldResult

    limits = settings.config.stage_c
    return [
        FoldResult.read(agent_path(options, f"stage_c/{candidate}-{fold}.json"))
        for candidate in range(limits.candidates)
        for fold in range(limits.folds * limits.repeats)
    ]


def agent_path(options: Namespace, name: str) -> Path:
    """Return the path of one of the agent's results.

    Args:
        options: Of the command: agent and results.
        name: Relative to the agent's folder.
    """
    path: Path = options.results / options.agent / name
    return path


def search_results(options: Namespace) -> "SearchResults":
    """Return the results of the agent's search, without torch."""
    from lib.search.study_results import SearchResults

    return SearchResults(read_settings(options.settings), options.agent, options.results)


@contextmanager
def training_experiment(options: Namespace, *, gpu: bool = True) -> "Iterator[Experiment]":
    """Prepare this process for trainings, and yield the agent's experiment.

    Args:
        options: Of the command: agent, settings and results.
        gpu: Whether to lease a GPU where there is one; a process that shares its parent's does not.
    """
    from lib.cli.processes import leased_gpu

    settings = read_settings(options.settings)
    with leased_gpu(settings, wanted=gpu):
        # torch is imported with the lease: it sees the leased GPU only.
        from lib.devices.process import keep_freed_memory, training_process
        from lib.experiment.experiment import Experiment

        keep_freed_memory()
        with training_process(settings.config.training.threads):
            yield Experiment(settings, options.agent, options.results)


def load_experiment(options: Namespace) -> "Experiment":
    """Return the agent's experiment, in a process that trains nothing."""
    from lib.experiment.experiment import Experiment

    return Experiment(read_settings(options.settings), options.agent, options.results)


def load_development_set(options: Namespace) -> "Development":
    """Read the development set."""
    from lib.corpus.store import load_development

    return load_development(options.results / "corpus")


def echo(text: str) -> None:
    """Print a line to the person who started the command."""
    print(text, file=sys.stderr, flush=True)
