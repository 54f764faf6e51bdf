"""Open an agent's search, its experiment, or the development set for a command."""

from argparse import Namespace
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lib.agents import check_agent
from lib.errors import UserError
from lib.settings.load import Settings, read_settings

if TYPE_CHECKING:
    from lib.corpus.store import DevelopmentSet
    from lib.experiment.experiment import Experiment
    from lib.search.study_results import AgentSearch


def agent_search(options: Namespace) -> "AgentSearch":
    """Return the agent's search, without importing torch."""
    from lib.search.study_results import AgentSearch

    check_agent(options.agent)
    return AgentSearch(read_settings(options.settings), options.agent, options.results)


def training_experiment(options: Namespace, *, gpu: bool = True) -> "AbstractContextManager[Experiment]":
    """Prepare this process for training an agent, within a `with` block.

    Args:
        options: Arguments of the command; agent, settings and results are used.
        gpu: As in `open_experiment`.

    Returns:
        A context manager that gives the experiment.
    """
    return open_experiment(read_settings(options.settings), options.agent, options.results, gpu=gpu)


@contextmanager
def open_experiment(settings: Settings, agent: str, results: Path, *, gpu: bool) -> "Iterator[Experiment]":
    """Prepare the GPU, the threads and the warnings of this process for training.

    Args:
        settings: The resolved settings.
        agent: Name of the agent.
        results: Folder of all results.
        gpu: Whether to lease a GPU if there is one; False for a process that uses the GPU of its parent, or any that
            it sees.

    Yields:
        The agent's experiment; the GPU is held until the block ends.

    Raises:
        UserError: A training that the block needs gives no result.
    """
    from lib.cli.gpu_processes import leased_gpu

    with leased_gpu(settings, wanted=gpu):
        # torch is imported after the lease, so that it sees only the leased GPU.
        from lib.devices.process import keep_freed_memory, training_process
        from lib.experiment.experiment import Experiment
        from lib.training.data import TrainingFailure

        keep_freed_memory()
        with training_process(settings.config.training.threads):
            try:
                yield Experiment(settings, agent, results)
            except TrainingFailure as failure:
                raise UserError(f"{agent}: a training that cannot be left out failed: {failure}") from failure


def load_experiment(options: Namespace) -> "Experiment":
    """Return the agent's experiment in a process that trains nothing and leases no GPU."""
    from lib.experiment.experiment import Experiment

    return Experiment(read_settings(options.settings), options.agent, options.results)


def load_development_set(options: Namespace) -> "DevelopmentSet":
    """Read the development set."""
    from lib.corpus.store import load_development

    return load_development(options.results / "corpus")
